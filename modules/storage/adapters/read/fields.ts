import type { Attribute, FieldRef } from '../../contract/index.ts'
import type { Bindings } from './bindings.ts'
import type { TypedValue } from './typed-value.ts'

/** A field as SQL over the events table. Paths are bound as identifiers, which lets the engine read only their columns. */
export function fieldValue(ref: FieldRef, bindings: Bindings): TypedValue {
  switch (ref.kind) {
    case 'attribute':
      return attributeValue(ref.name)
    case 'extension':
      return extensionValue(bindings.bind('String', ref.name))
    case 'data':
      return { str: 'if(kind = 2, data, NULL)', exists: 'kind != 0' }
    case 'path':
      return pathValue(ref.path, bindings)
  }
}

/** The columns' names are ours: they come from this table, never from the request. */
const columns: Readonly<Record<Attribute, TypedValue>> = {
  id: { str: 'id', exists: '1' },
  source: { str: 'source', exists: '1' },
  type: { str: 'type', exists: '1' },
  subject: optional('subject'),
  time: { time: 'time', exists: '1' },
  received: { time: 'received', exists: '1' },
  datacontenttype: optional('datacontenttype'),
  dataschema: optional('dataschema'),
}

function attributeValue(name: Attribute): TypedValue {
  return columns[name]
}

function optional(column: string): TypedValue {
  return { str: `nullIf(${column}, '')`, exists: `notEmpty(${column})` }
}

function extensionValue(name: string): TypedValue {
  const type = `JSONType(extensions, ${name})`
  const when = (condition: string, value: string): string => `if(${condition}, ${value}, NULL)`
  return {
    str: when(`${type} = 'String'`, `JSONExtractString(extensions, ${name})`),
    num: when(`${type} IN ('Int64', 'UInt64', 'Double')`, `JSONExtractFloat(extensions, ${name})`),
    bool: when(`${type} = 'Bool'`, `JSONExtractBool(extensions, ${name})`),
    exists: `${type} != 'Null'`,
  }
}

function pathValue(path: string, bindings: Bindings): TypedValue {
  const value = bindings.bind('Identifier', `doc.${path}`)
  const below = bindings.bind('Identifier', `doc.^\`${path}\``)
  const of = (type: string): string => bindings.bind('Identifier', `doc.${path}.:\`${type}\``)
  const [int, float] = [of('Int64'), of('Float64')]
  return {
    num: `coalesce(toFloat64(${int}), ${float})`,
    str: of('String'),
    bool: of('Bool'),
    exists: `(isNotNull(${value}) OR notEmpty(${below}))`,
    split: { int, float },
    arrays: {
      int: of('Array(Nullable(Int64))'),
      float: of('Array(Nullable(Float64))'),
      str: of('Array(Nullable(String))'),
      bool: of('Array(Nullable(Bool))'),
      mixed: of('Array(Dynamic)'),
    },
  }
}
