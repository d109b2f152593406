import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Detail, isEnded, SagaWorld } from './sagas.fixture.ts'

interface Page {
  readonly sagas: readonly { id: string; name: string; status: string; problem: string | null; startedAt: string }[]
  readonly next: string | null
}
interface History {
  readonly history: readonly { n: number; event: string; step?: string }[]
  readonly next: number | null
}

let world: SagaWorld
/** Orders whose charges hang, or fail, by their id. */
const faults = new Map<string, { fail: 'before' | 'hang' }>()

beforeAll(async () => {
  world = await SagaWorld.start({ misbehaves: ({ body }) => faults.get((body as { orderId?: string }).orderId ?? '') })
  await world.publish('order')
})
afterAll(() => world?.close())

const order = (more: object = {}) => ({ orderId: randomUUID(), amount: 10, quantity: 1, country: 'BE', ...more })
const list = async (query: string, key?: string): Promise<Page> => {
  const { status, json } = await world.api<Page>('GET', `/v1/sagas${query}`, { key })
  expect(status).toBe(200)
  return json
}
/** The one thing that the saga waits for, once it does. */
const wait = async (id: string, what: string) => {
  const saga = await world.until(id, ({ waitingFor }) => waitingFor.some((one) => one.for === what))
  return saga.waitingFor.find((one) => one.for === what)!
}

describe('the list', () => {
  it('has the newest first, page by page, each once', async () => {
    const key = await world.key('pages')
    await world.publish('short', { steps: [{ id: 'w', wait: { for: '1ms' } }] }, key)
    await world.publish('other', { steps: [{ id: 'w', wait: { for: '1ms' } }] }, key)
    const ids: string[] = []
    for (let i = 0; i < 7; i++) ids.push(await world.begin(i % 2 === 0 ? 'short' : 'other', {}, key))
    const read = async (query: string): Promise<string[]> => {
      const found: string[] = []
      for (let before: string | null = ''; before !== null; ) {
        const page: Page = await list(`?limit=3${query}${before === '' ? '' : `&before=${before}`}`, key)
        found.push(...page.sagas.map(({ id }) => id))
        before = page.next
      }
      return found
    }
    expect(await read('')).toEqual(ids.toReversed())
    expect(await read('&name=short')).toEqual(ids.filter((_, i) => i % 2 === 0).toReversed())
    const middle = (await world.saga(ids[3]!, key)).startedAt
    expect(await read(`&from=${middle}`)).toEqual(ids.slice(3).toReversed())
    expect(await read(`&to=${middle}`)).toEqual(ids.slice(0, 3).toReversed())
    await Promise.all(ids.map((id) => untilEnd(id, key)))
    expect(await read('&status=completed')).toHaveLength(7)
    expect(await read('&status=running')).toEqual([])
  })

  it('finds what has a problem, and what needs attention', async () => {
    const key = await world.key('problems')
    const definition = {
      participants: { p: { url: world.stubs.url } },
      steps: [
        { id: 'charge', call: { participant: 'p', path: '/payments/charges', body: '${input}' }, pivot: true },
        { id: 'ship', call: { participant: 'p', path: '/shipping/shipments', body: '${input}' } },
      ],
    }
    await world.publish('final', definition, key)
    const good = await world.begin('final', order(), key)
    const bad = await world.begin('final', order({ country: 'AQ' }), key)
    await untilEnd(good, key)
    let page = await list('?problem=true', key)
    for (let i = 0; i < 200 && page.sagas.length === 0; i++) page = await list('?problem=true', key)
    expect(page.sagas).toMatchObject([
      { id: bad, status: 'needs_attention', problem: expect.stringContaining('ship:') },
    ])
    expect((await list('?status=needs_attention&name=final', key)).sagas.map(({ id }) => id)).toEqual([bad])
  })

  it.each([
    ['?limit=0', 'REQUEST_INVALID'],
    ['?limit=1001', 'REQUEST_INVALID'],
    ['?status=gone', 'REQUEST_INVALID'],
    ['?problem=no', 'REQUEST_INVALID'],
    ['?from=yesterday', 'REQUEST_INVALID'],
    ['?before=1', 'CURSOR_INVALID'],
    ['?sort=name', 'REQUEST_INVALID'],
  ])('%s is refused', async (query, expected) => {
    const { status, code } = await world.api('GET', `/v1/sagas${query}`)
    expect([status, code]).toEqual([400, expected])
  })
})

const untilEnd = async (id: string, key: string): Promise<Detail> => {
  for (;;) {
    const saga = await world.saga(id, key)
    if (isEnded(saga)) return saga
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe('a saga', () => {
  it('is shown with its steps, its result and its history', async () => {
    const input = order()
    const saga = await world.until(await world.begin('order', input), isEnded)
    expect(saga).toMatchObject({ status: 'completed', input, problem: null, waitingFor: [], worker: null, dueAt: null })
    expect(saga.steps.map(({ id, status, effect }) => [id, status, effect])).toEqual([
      ['charge', 'done', 'done'],
      ['reserve', 'done', 'done'],
      ['ship', 'done', 'done'],
    ])
    expect(saga.output).toMatchObject({ charge: (saga.steps[0]!.output as { id: string }).id })
    const all = (await world.api<History>('GET', `/v1/sagas/${saga.id}/history`)).json
    expect(all.next).toBeNull()
    expect(all.history.map(({ n }) => n)).toEqual(all.history.map((_, i) => i + 1))
    expect(all.history.map(({ event, step }) => (step ? `${step} ${event}` : event))).toEqual([
      'started',
      ...['charge', 'reserve', 'ship'].flatMap((id) => [`${id} attempt_started`, `${id} step_done`]),
      'completed',
    ])
    const pages: unknown[] = []
    for (let after: number | null = 0; after !== null; ) {
      const page: History = (await world.api<History>('GET', `/v1/sagas/${saga.id}/history?after=${after}&limit=3`))
        .json
      pages.push(...page.history)
      after = page.next
    }
    expect(pages).toEqual(all.history)
  })

  it.each(['00000000-0000-7000-8000-000000000000', 'nonsense', '..%2f', "'; drop table sagas", '0'.repeat(36)])(
    'that is not there gives 404: %s',
    async (id) => {
      for (const path of ['', '/history']) {
        const { status, code } = await world.api('GET', `/v1/sagas/${encodeURIComponent(id)}${path}`)
        expect([status, code]).toEqual([404, 'NOT_FOUND'])
      }
    },
  )
})

describe('one call says why it waits:', () => {
  it('for an answer, until the timeout', async () => {
    const input = order()
    faults.set(input.orderId, { fail: 'hang' })
    const id = await world.begin('order', input)
    const { step, until, since } = await wait(id, 'answer')
    expect(step).toBe('charge')
    expect(Date.parse(until!) - Date.parse(since)).toBe(2_000)
    faults.delete(input.orderId)
    expect((await world.until(id, isEnded)).status).toBe('completed')
  })

  it('for the next attempt, and for a participant that is not being called', async () => {
    await world.publish('down', {
      participants: { dead: { url: 'http://127.0.0.1:9', timeout: '1s' } },
      steps: [{ id: 'a', call: { participant: 'dead', path: '/x' }, retry: { initial: '200ms', within: '1h' } }],
    })
    const ids = await Promise.all(Array.from({ length: 12 }, () => world.begin('down')))
    const retry = await wait(ids[0]!, 'retry')
    expect(retry).toMatchObject({ step: 'a', detail: expect.stringMatching(/^(UNREACHABLE|POSTPONED)/) })
    const blocked = await world.until(ids[1]!, ({ waitingFor }) => waitingFor[0]?.blocked !== undefined)
    expect(blocked.waitingFor[0]!.blocked).toMatch(/of the last \d+ calls failed/)
    for (const id of ids) await world.api('POST', `/v1/sagas/${id}/cancel`)
  })

  it('for an instant, an event, a lock that another saga holds, and a child', async () => {
    await world.publish('rest', { steps: [{ id: 'w', wait: { for: '1h' } }] })
    await world.publish('many', {
      steps: [
        {
          id: 'all',
          parallel: [
            [{ id: 'time', wait: { until: '2100-01-01T00:00:00Z' } }],
            [{ id: 'paid', waitFor: { type: 'paid', match: { subject: '${input.order}' }, timeout: '1h' } }],
            [{ id: 'alone', lock: { key: 'o-${input.order}', timeout: '1h' } }],
            [{ id: 'sub', child: { saga: 'rest' } }],
          ],
        },
      ],
    })
    const first = await world.begin('many', { order: 'o-7' })
    await world.until(first, ({ steps }) => steps.find(({ id }) => id === 'alone')?.status === 'done')
    const second = await world.begin('many', { order: 'o-7' })
    expect(await wait(second, 'instant')).toMatchObject({ step: 'time', until: '2100-01-01T00:00:00.000Z' })
    expect(await wait(second, 'event')).toMatchObject({
      step: 'paid',
      event: { type: 'paid', match: { subject: 'o-7' } },
    })
    const lock = await wait(second, 'lock')
    expect(lock.lock).toMatchObject({ key: 'o-o-7', holder: { saga: first } })
    const { child } = await world
      .until(second, ({ waitingFor }) => waitingFor.some((one) => one.child?.status === 'running'))
      .then(({ waitingFor }) => waitingFor.find((one) => one.for === 'child')!)
    expect(await world.saga(child!.id)).toMatchObject({ name: 'rest', parent: { saga: second, step: 'sub' } })
    for (const id of [first, second]) {
      await world.api('POST', `/v1/sagas/${id}/cancel`)
      expect((await world.until(id, isEnded)).status).toBe('compensated')
    }
    expect((await world.until(child!.id, isEnded)).status).toBe('compensated')
  })
})

describe('definitions', () => {
  it('say which children are not published', async () => {
    const steps = [{ id: 'c', choice: [{ when: 'true', steps: [{ id: 'sub', child: { saga: 'missing' } }] }] }]
    const first = await world.api('PUT', '/v1/saga-definitions/parent', { body: { steps } })
    const [warning] = first.json.warnings as { path: string; detail: string }[]
    expect(first.status).toBe(201)
    expect(warning).toMatchObject({ path: '$.steps[0].choice[0].steps[0].child.saga' })
    expect(warning!.detail).toContain('no saga missing is published')
    await world.publish('missing', { steps: [{ id: 'w', wait: { for: '1ms' } }] })
    const again = await world.api('PUT', '/v1/saga-definitions/parent', { body: { steps } })
    expect([again.status, again.json]).toEqual([200, { name: 'parent', version: 1, warnings: [] }])
  })

  it('count the sagas that go on, by version', async () => {
    const version = (of: string) => ({ steps: [{ id: 'w', wait: { for: of } }] })
    await world.publish('counted', version('1h'))
    for (let i = 0; i < 3; i++) await world.begin('counted')
    await world.publish('counted', version('2h'))
    const other = await world.begin('counted')
    await world.begin('counted')
    await world.api('POST', `/v1/sagas/${other}/cancel`)
    await world.until(other, isEnded)
    const { json } = await world.api('GET', '/v1/saga-definitions/counted')
    expect(json).toMatchObject({
      version: 2,
      instances: { 1: { running: 3 }, 2: { running: 1 } },
      instancesComplete: true,
    })
    expect((await world.api('GET', '/v1/saga-definitions/counted?version=1')).json).toMatchObject({ version: 1 })
  })

  it('that are not valid get 422 with the path', async () => {
    const { status, code, json } = await world.api('PUT', '/v1/saga-definitions/bad', {
      body: { steps: [{ id: 'a', wait: { for: 'long' } }] },
    })
    expect([status, code]).toEqual([422, 'UNPROCESSABLE'])
    expect(json.problems).toMatchObject([{ path: '$.steps[0].wait.for' }])
  })
})

describe('another tenant, another scope', () => {
  it('sees nothing of a saga: 404', async () => {
    const id = await world.begin('order', order())
    const key = await world.key('stranger')
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/history'],
      ...['cancel', 'retry', 'skip', 'resolve'].map((action) => ['POST', `/${action}`]),
    ] as const) {
      const body = path === '/retry' || path === '/skip' ? { step: 'charge' } : undefined
      const { status, code } = await world.api(method!, `/v1/sagas/${id}${path}`, { key, body })
      expect([path, status, code]).toEqual([path, 404, 'NOT_FOUND'])
    }
    expect((await list('', key)).sagas).toEqual([])
    expect((await world.api('GET', '/v1/saga-definitions/order', { key })).status).toBe(404)
    expect((await world.until(id, isEnded)).status).toBe('completed')
  })

  it.each([
    ['PUT', '/v1/saga-definitions/x', { steps: [] }],
    ['GET', '/v1/saga-definitions'],
    ['GET', '/v1/saga-definitions/x'],
    ['DELETE', '/v1/saga-definitions/x'],
    ['POST', '/v1/sagas/x', {}],
    ['GET', '/v1/sagas'],
    ['GET', '/v1/sagas/x'],
    ['GET', '/v1/sagas/x/history'],
    ['POST', '/v1/sagas/x/cancel'],
    ['POST', '/v1/sagas/x/retry', { step: 'a' }],
    ['POST', '/v1/sagas/x/skip', { step: 'a' }],
    ['POST', '/v1/sagas/x/resolve'],
  ])('%s %s needs the scope sagas: 403 and 401', async (method, path, body?: object) => {
    const key = await world.key('scopeless', ['ingest', 'query', 'admin'])
    expect((await world.api(method, path, { key, body })).code).toBe('FORBIDDEN')
    expect((await world.api(method, path, { key: 'x'.repeat(40), body })).code).toBe('UNAUTHENTICATED')
  })
})
