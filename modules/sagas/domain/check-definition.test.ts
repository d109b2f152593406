import { describe, expect, it } from 'vitest'
import { expressions, pivots, undos } from './bad-flows.fixture.ts'
import { requests, steps } from './bad-meanings.fixture.ts'
import { shapes, values } from './bad-shapes.fixture.ts'
import { parseDefinition } from './check-definition.ts'
import type { Problem } from './check-problems.ts'
import { goodDefinitions } from './definitions.fixture.ts'
import { call, reading, saga, undo, wait } from './parts-of-definitions.fixture.ts'

function problemsOf(body: unknown, name = 'order'): readonly Problem[] {
  try {
    parseDefinition(name, body)
    return []
  } catch (error) {
    expect(error).toMatchObject({ code: 'UNPROCESSABLE' })
    return (error as { details: { problems: Problem[] } }).details.problems
  }
}

describe('good definitions', () => {
  it.each(Object.entries(goodDefinitions))('%s', (_, body) => {
    expect(problemsOf(body)).toEqual([])
    expect(parseDefinition('order', body)).toEqual(body)
  })
})

describe.each([
  ['shape', shapes],
  ['values', values],
  ['steps', steps],
  ['requests', requests],
  ['expressions', expressions],
  ['pivots', pivots],
  ['the order of undo', undos],
])('bad %s', (_, table) => {
  it.each(table)('%s', (_what, body, path, detail) => {
    expect(problemsOf(body)).toContainEqual({ path, detail: expect.stringMatching(detail) })
  })
})

describe('bad definitions of the catalogue (B54)', () => {
  const soon = (body: unknown) => {
    const start = performance.now()
    const problems = problemsOf(body)
    expect(performance.now() - start).toBeLessThan(1_000)
    return problems
  }

  it('10,000 steps', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => ({ id: `s${i}` }))
    expect(soon({ steps: many })).toEqual([{ path: '$.steps', detail: expect.stringContaining('more than 200 steps') }])
    const full = saga(...Array.from({ length: 10_000 }, (_, i) => call(`s${i}`, undo({ body: '${input.a.b.c}' }))))
    expect(soon(full)).toEqual([{ path: '$', detail: expect.stringContaining('256 KiB') }])
    const nested = saga({
      id: 'x',
      parallel: Array.from({ length: 50 }, (_, i) => [1, 2, 3, 4, 5].map((j) => wait(`s${i}_${j}`))),
    })
    expect(soon(nested)).toEqual([{ path: '$.steps', detail: expect.stringContaining('more than 200 steps') }])
  })

  it('nested 9 levels, and 10,000', () => {
    let steps: unknown[] = [wait('a')]
    for (let i = 0; i < 8; i++) steps = [{ id: `p${i}`, parallel: [steps] }]
    expect(soon({ steps })).toEqual([
      { path: expect.any(String), detail: expect.stringContaining('nested too deeply: 8') },
    ])
    for (let i = 0; i < 10_000; i++) steps = [{ id: `q${i}`, parallel: [steps] }]
    expect(soon({ steps })).toEqual([
      { path: expect.any(String), detail: expect.stringContaining('nested too deeply') },
    ])
  })

  it('one that holds itself', () => {
    const body: { steps: unknown[] } = { steps: [] }
    body.steps.push({ id: 'a', parallel: [body.steps] })
    expect(soon(body)).toEqual([{ path: expect.any(String), detail: expect.stringContaining('nested too deeply') }])
  })

  it('two hundred steps whose undos form one cycle', () => {
    const ids = Array.from({ length: 100 }, (_, i) => `s${i}`)
    const branches = ids.slice(0, 60).map((id, i) => [call(id, undo({ after: [ids[(i + 1) % 60]] }))])
    expect(soon(saga({ id: 'x', parallel: branches })).at(-1)?.detail).toMatch(/s0 → s1 → .* → s59 → s0/)
  })

  it('with more mistakes than anybody reads', () => {
    const wrong = Array.from({ length: 199 }, (_, i) => call(`s${i}`, {}, { path: '${nope' }))
    expect(soon(saga(...wrong))).toHaveLength(50)
    expect(soon({ steps: Array(200).fill({ id: '-', oops: 1 }) })).toHaveLength(50)
  })

  it('under a name that no URL has', () => {
    for (const name of ['', 'a/b', '../x', '-a', 'a b', '__proto__', 'constructor', 'x'.repeat(129)]) {
      expect(problemsOf({ steps: [wait('a')] }, name), name).toEqual([
        { path: '$', detail: expect.stringContaining('cannot be called') },
      ])
    }
  })
})

it('tells all problems at once, and the first in the message', () => {
  const body = saga(call('a', { timeout: '0s' }, { participant: 'x', path: 'y' }), reading('${nope}'))
  expect(problemsOf(body).map(({ path }) => path)).toEqual([
    '$.steps[0].call.participant',
    '$.steps[0].call.path',
    '$.steps[0].timeout',
    '$.steps[1].emit.data',
  ])
  expect(() => parseDefinition('order', body)).toThrow(
    /saga order is not valid: \$\.steps\[0\]\.call\.participant: .*\(and 3 more\)/,
  )
})
