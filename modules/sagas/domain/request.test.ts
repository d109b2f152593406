import { describe, expect, it } from 'vitest'
import { planSaga } from './plan.ts'
import { buildRequest } from './request.ts'
import { call, start, told } from './saga.fixture.ts'
import { foldEntries } from './state.ts'

const participant = {
  headers: { Authorization: 'Bearer ${input.token}', 'X-Shared': 'participant' },
  lookup: { path: '/requests/${key}?saga=${saga.id}' },
  timeout: '7s',
}
const step = call('a', {
  call: {
    participant: 'p',
    method: 'PUT',
    path: '/orders/${input.id}',
    headers: { 'x-shared': 'step', 'If-Match': '"${input.version}"' },
    body: { n: '${input.n}' },
  },
  compensate: { participant: 'p', method: 'DELETE', path: '/orders/${input.id}', timeout: '9s' },
})
const definition = { participants: { p: { url: 'https://p.test/api/', ...participant } }, steps: [step] }
const plan = planSaga('orders', 1, definition as Parameters<typeof planSaga>[2])
const input = { id: 'o/1', n: 3, version: 2, token: 't' }

function source(more: Parameters<typeof foldEntries>[0] = []) {
  const state = foldEntries([{ e: 'start', t: 0, at: 0, in: input }, { e: 'go', s: 'a', n: 1, t: 0 }, ...more])
  return { id: 's-1', plan, state }
}

const own = { 'splitstream-saga': 's-1', 'splitstream-step': 'a' }

describe('the request of a step', () => {
  it('is made of the saga alone', () => {
    expect(buildRequest(source(), 'a', false, false)).toEqual({
      participant: 'orders/p',
      settings: definition.participants.p,
      method: 'PUT',
      url: 'https://p.test/api/orders/o%2F1',
      headers: {
        authorization: 'Bearer t',
        'x-shared': 'step',
        'if-match': '"2"',
        ...own,
        'splitstream-operation': 'do',
      },
      body: { n: 3 },
      idempotencyKey: 's-1.a.do',
      timeoutMs: 7_000,
      slowMs: 3_500,
    })
  })

  it('has another key, and its own time, when it undoes', () => {
    const undo = buildRequest(source([{ e: 'undo', s: 'a', n: 1, t: 0 }]), 'a', true, false)
    expect(undo).toMatchObject({ method: 'DELETE', idempotencyKey: 's-1.a.undo', timeoutMs: 9_000 })
    expect(undo.headers).toEqual({
      authorization: 'Bearer t',
      'x-shared': 'participant',
      ...own,
      'splitstream-operation': 'undo',
    })
    expect(undo).not.toHaveProperty('body')
  })

  it('names the generation of its key from the second on', () => {
    const retry = { e: 'retry', s: 'a', n: 1, t: 0, due: 0, fx: 'none', c: 'X', d: '' } as const
    expect(buildRequest(source([{ ...retry, k: 2 }]), 'a', false, false).idempotencyKey).toBe('s-1.a.do.2')
    const undo = { ...retry, e: 'undo-retry', k: 3 } as const
    expect(buildRequest(source([undo]), 'a', true, false).idempotencyKey).toBe('s-1.a.undo.3')
  })

  it('that looks another one up is a GET with the headers of the participant alone', () => {
    expect(buildRequest(source(), 'a', false, true)).toEqual({
      participant: 'orders/p',
      settings: definition.participants.p,
      method: 'GET',
      url: 'https://p.test/api/requests/s-1.a.do?saga=s-1',
      headers: { authorization: 'Bearer t', 'x-shared': 'participant', ...own, 'splitstream-operation': 'do' },
      idempotencyKey: 's-1.a.do',
      timeoutMs: 7_000,
      slowMs: 3_500,
    })
  })

  it('is there only for a step that was begun and has it', () => {
    expect(() => buildRequest(source(), 'b', false, false)).toThrow(RangeError)
    expect(() => buildRequest({ ...source(), state: foldEntries([]) }, 'a', false, false)).toThrow(RangeError)
  })
})

describe('input in a path', () => {
  const path = (of: unknown) =>
    start(
      [call('a', { call: { participant: 'p', path: '/x/${input.of}/y?q=${input.of}' } })],
      {},
      { input: { of: of as string } },
    )

  it.each([
    ['../admin?x=1', '/x/..%2Fadmin%3Fx%3D1/y?q=..%2Fadmin%3Fx%3D1'],
    ['a b&c#d', '/x/a%20b%26c%23d/y?q=a%20b%26c%23d'],
    ['%2e%2e', '/x/%252e%252e/y?q=%252e%252e'],
    ['...', '/x/.../y?q=...'],
    [7, '/x/7/y?q=7'],
  ])('%j stays where it is', async (of, sent) => {
    const run = path(of)
    await run.untilEnd()
    expect(run.requests[0]).toMatchObject({ path: sent, url: `http://p.test/api${sent}` })
  })

  it.each(['.', '..', '', null, ['x'], '\ud800'])('%j is refused, and nothing is sent', async (of) => {
    const run = path(of)
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.requests).toEqual([])
    expect(told(run)).toContain('failed a EXPRESSION')
  })
})

it('input in a header cannot make another header', async () => {
  for (const of of ['a\r\nX-Admin: 1', 'a\nb', '\u20ac', '\u0000']) {
    const headers = { 'X-Of': '${input.of}' }
    const run = start([call('a', { call: { participant: 'p', path: '/x', headers } })], {}, { input: { of } })
    expect(await run.untilEnd()).toBe('compensated')
    expect(run.requests).toEqual([])
  }
})

it.each([
  ['a second when nothing is said', {}, {}, 1_000],
  ['half of the timeout of the participant', { timeout: '20s' }, {}, 10_000],
  ['half of the timeout of the step', { timeout: '20s' }, { timeout: '1m' }, 30_000],
  ['a second at least', { timeout: '500ms' }, {}, 1_000],
  ['what the participant says', { timeout: '20s', slowAfter: '300ms' }, {}, 300],
])('a call is slow after %s', (_, p, more, slowMs) => {
  const definition = { participants: { p: { url: 'https://p.test', ...p } }, steps: [call('a', more)] }
  const plan = planSaga('s', 1, definition as Parameters<typeof planSaga>[2])
  expect(plan.steps.get('a')?.call?.slowMs).toBe(slowMs)
})
