import { isDeepStrictEqual } from 'node:util'
import type { ObjectSchema, Schema } from '@splitstream/kernel'
import { z } from 'zod'

export type Json = { readonly [member: string]: unknown }

/** What goes in, or what comes out: defaults may be left out of the one, and are in the other. */
export type Side = 'input' | 'output'

const componentPath = '#/components/schemas/'

/** The JSON Schemas of a document. Those with an id become components; everything else stands where it is used. */
export class Schemas {
  readonly #components = new Map<string, Json>()

  /** @throws TypeError for a component that is not the same on both sides, or a recursive schema without an id */
  of(schema: Schema, side: Side): Json {
    const { $schema: _, $defs = {}, ...root } = convert(schema, side) as Json & { $defs?: Record<string, Json> }
    for (const [id, definition] of Object.entries($defs)) {
      this.#add(nameOf(id, definition), isNumbered(id) ? jsonValue : renamed(definition, $defs))
    }
    return renamed(root, $defs)
  }

  /** Of the members of an object, which a parameter each is made of. */
  membersOf(
    schema: ObjectSchema,
    side: Side,
  ): { readonly name: string; readonly schema: Json; readonly required: boolean }[] {
    const { properties = {}, required = [] } = this.of(schema, side) as {
      properties?: Record<string, Json>
      required?: readonly string[]
    }
    return Object.entries(properties).map(([name, one]) => ({ name, schema: one, required: required.includes(name) }))
  }

  /** By name. */
  components(): Record<string, Json> {
    return Object.fromEntries([...this.#components].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  #add(name: string, definition: Json): void {
    const known = this.#components.get(name)
    if (known && !isDeepStrictEqual(known, definition))
      throw new TypeError(`the schema ${name} is not the same everywhere: give one of them another id`)
    this.#components.set(name, definition)
  }
}

function convert(schema: Schema, side: Side): Json {
  if (!(schema instanceof z.ZodType)) throw new TypeError('schemas of public routes are zod’s')
  return z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: side,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod
      // Answers may get members: only what is strict refuses those that it does not know.
      if (def.type === 'object' && !(def as z.core.$ZodObjectDef).catchall) delete jsonSchema.additionalProperties
      // What every integer is anyway.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
    },
  }) as Json
}

const jsonValue = { description: 'Any JSON value' }

/** zod numbers recursive schemas that have no id. Of those there is one: any JSON value. */
const isNumbered = (id: string): boolean => id.startsWith('__')

function nameOf(id: string, definition: Json | undefined): string {
  if (!isNumbered(id)) return id.charAt(0).toUpperCase() + id.slice(1)
  const branches = (definition?.anyOf as readonly { type?: string }[] | undefined)?.map(({ type }) => type)
  const any = ['string', 'number', 'boolean', 'null', 'array', 'object']
  if (!isDeepStrictEqual(branches, any)) throw new TypeError('a recursive schema has no id')
  return 'JsonValue'
}

/** With references to components, in place of those to the definitions of one schema. */
function renamed(value: Json, definitions: Readonly<Record<string, Json>>): Json {
  const text = JSON.stringify(value, (key, member: unknown) => {
    if (key !== '$ref' || typeof member !== 'string') return member
    const id = member.replace('#/$defs/', '')
    return componentPath + nameOf(id, definitions[id])
  })
  return JSON.parse(text) as Json
}
