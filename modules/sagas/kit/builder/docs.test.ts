import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseDefinition } from '../../domain/check-definition.ts'
import { Problems } from '../../domain/check-problems.ts'
import { checkWindows } from '../../domain/check-windows.ts'
import { compileTemplate, type Scope } from '../../domain/expression.ts'
import { order } from './docs-example.fixture.ts'

/** docs/saga-definitions.md shows only what works. */
const root = new URL('../../../../', import.meta.url)
const text = readFileSync(new URL('docs/saga-definitions.md', root), 'utf8')

const blocks = (language: string) =>
  [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].filter(([, its]) => its === language).map(([, , code]) => code ?? '')
const json = blocks('json').map((code) => JSON.parse(code) as Record<string, unknown>)

const participants = Object.fromEntries(
  ['payments', 'stock', 'shipping'].map((name) => [name, { url: `http://${name}` }]),
)
const request = { participant: 'stock', path: '/' }
const charge = { id: 'charge', call: { ...request, participant: 'payments' } }
const reserve = { id: 'reserve', call: request, compensate: request }

function warned(definition: object): readonly object[] {
  const problems = new Problems()
  checkWindows(parseDefinition('order', definition), problems)
  return problems.list
}

describe('the examples', () => {
  it.each(json.filter((block) => 'steps' in block && !('input' in block)))('definition %#', (block) => {
    expect(parseDefinition('order', block)).toEqual(block)
    expect(warned(block)).toEqual([])
  })

  it.each(json.filter((block) => 'id' in block).map((block) => [block.id, block]))('step %s', (id, block) => {
    const steps = id === 'charge' ? [block, reserve] : [charge, block]
    expect(parseDefinition('order', { participants, steps }).steps).toContainEqual(block)
    expect(warned({ participants, steps })).toEqual([])
  })

  it.each(json.filter((block) => 'url' in block))('participant %#', (block) => {
    parseDefinition('order', { participants: { p: block }, steps: [{ id: 'a', wait: { for: '1s' } }] })
  })

  it('none is left out', () => {
    expect(json.length).toBe(json.filter((block) => 'steps' in block || 'id' in block || 'url' in block).length)
    expect(json.length).toBeGreaterThan(10)
  })

  it('what is refused', () => {
    const shown = JSON.parse(blocks('').at(-1)!) as { problems: unknown[] }
    const body = structuredClone(json[0]) as { steps: { call: Record<string, unknown>; compensate: object }[] }
    Object.assign(body.steps[0]!.call, { participant: 'paymnts', body: { order: '${inputs.id}' } })
    Object.assign(body.steps[1]!.compensate, { body: { parcel: '${steps.ship.id}' } })
    expect(() => parseDefinition('order', body)).toThrow(
      expect.objectContaining({ details: { problems: shown.problems } }),
    )
  })

  it('in TypeScript', () => {
    const [code] = blocks('ts')
    const fixture = readFileSync(new URL('./docs-example.fixture.ts', import.meta.url), 'utf8')
    expect(fixture.replace("'./index.ts'", "'@splitstream/sagas/kit/builder'")).toBe(code)
    expect(order.build().steps.map(({ id }) => id)).toEqual(['charge', 'size', 'ship'])
  })
})

describe('expressions', () => {
  const scope = json.find((block) => 'input' in block) as Scope
  const rows = [...text.matchAll(/^\| `(.*?\$\{.*?)` +\| `(.*?)` +\|$/gm)].map(([, template, value]) => [
    template,
    value,
  ])

  it.each(rows)('%s gives %s', (template, value) => {
    expect(compileTemplate(template!)(scope)).toEqual(JSON.parse(value!))
  })

  it('none is left out', () => expect(rows.length).toBeGreaterThan(10))
})
