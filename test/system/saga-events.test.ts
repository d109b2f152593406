import { describe, expect, it } from 'vitest'
import type { RunningServer } from '../support/server.ts'
import { ask, newDataDir, poll, start } from './lives.fixture.ts'

/* Events start sagas, sagas wait for events and emit events: over HTTP, in a process that is killed in between. */

interface Saga {
  readonly id: string
  readonly status: string
  readonly problem: string | null
}

const json = async <T>(response: Response): Promise<T> => (await response.json()) as T

async function publish({ url }: RunningServer, name: string, definition: object): Promise<void> {
  const response = await ask(url, 'PUT', `/v1/saga-definitions/${name}`, JSON.stringify(definition))
  expect(response.status).toBe(201)
}

async function post({ url }: RunningServer, ...events: readonly object[]): Promise<void> {
  const body = JSON.stringify(events.map((event) => ({ specversion: '1.0', source: '/shop', ...event })))
  expect((await ask(url, 'POST', '/v1/events', body)).status).toBe(202)
}

async function sagas({ url }: RunningServer, name: string): Promise<Saga[]> {
  return (await json<{ sagas: Saga[] }>(await ask(url, 'GET', `/v1/sagas?name=${name}&limit=1000`))).sagas
}

const stored = async ({ url }: RunningServer, query: string): Promise<Record<string, unknown>[]> =>
  (await json<{ events: Record<string, unknown>[] }>(await ask(url, 'GET', `/v1/events?${query}`))).events

/** Resolves when that many sagas of a name are completed. */
const completed = (server: RunningServer, name: string, count: number) =>
  poll(async () => {
    const all = await sagas(server, name)
    return all.length >= count && all.every(({ status }) => status === 'completed') ? all : undefined
  })

async function killed(server: RunningServer): Promise<void> {
  server.kill('SIGKILL')
  await server.exited
}

const placed = (n: number) => ({ id: `placed-${n}`, type: 'order.placed', data: { order: n } })
const paid = (n: number) => ({ id: `paid-${n}`, type: 'order.paid', data: { order: n, by: 'card' } })

describe('events and sagas', () => {
  it('an event starts one saga, though it is posted five times and the process is killed in between', async () => {
    const dir = await newDataDir()
    let server = await start(dir)
    await publish(server, 'order', {
      trigger: { type: 'order.placed' },
      steps: [{ id: 'tell', emit: { type: 'order.told', subject: '${string(int(input.order))}', data: '${input}' } }],
    })
    const orders = Array.from({ length: 20 }, (_, n) => n)
    for (let time = 0; time < 5; time++) {
      await post(server, ...orders.map(placed))
      if (time % 2 === 1) continue
      await killed(server)
      server = await start(dir)
    }
    const all = await completed(server, 'order', orders.length)
    expect(all).toHaveLength(orders.length)
    // Each of them has told of it once.
    const told = await poll(async () => {
      const events = await stored(server, 'type=order.told&limit=1000')
      return events.length >= orders.length ? events : undefined
    })
    const tellers = told.map(async ({ id }) => {
      const [alias] = String(id).split('.')
      const saga = await json<Saga & { knownAs: string }>(await ask(server.url, 'GET', `/v1/sagas/${alias}`))
      expect(id).toBe(`${saga.knownAs}.tell`)
      return saga.id
    })
    expect((await Promise.all(tellers)).sort()).toEqual(all.map(({ id }) => id).sort())
    expect(new Set(told.map(({ subject }) => subject)).size).toBe(orders.length)
    expect(await stored(server, 'type=order.placed&limit=1000')).toHaveLength(orders.length)
  })

  it('a saga that waits for an event gets it whether it comes before or after, and over a crash', async () => {
    const dir = await newDataDir()
    let server = await start(dir)
    await publish(server, 'order', {
      trigger: { type: 'order.placed' },
      steps: [
        { id: 'pause', wait: { for: '500ms' } },
        { id: 'payment', waitFor: { type: 'order.paid', match: { 'data.order': '${input.order}' }, timeout: '10m' } },
      ],
      output: '${steps.payment.data.by}',
    })
    await post(server, placed(1), paid(1))
    await completed(server, 'order', 1)

    await post(server, placed(2))
    await poll(async () => {
      const [newest] = await sagas(server, 'order')
      const history = await ask(server.url, 'GET', `/v1/sagas/${newest?.id}/history`)
      return (await history.text()).includes('"payment"') || undefined
    })
    await killed(server)
    server = await start(dir)
    await post(server, paid(3), paid(2))
    expect(await completed(server, 'order', 2)).toHaveLength(2)
  })

  it('an event that its trigger cannot make sense of is seen, and an operator can close the matter', async () => {
    const server = await start(await newDataDir())
    await publish(server, 'order', {
      trigger: { type: 'order.placed', input: { total: '${event.data.price * event.data.count}' } },
      steps: [{ id: 'pause', wait: { for: '1ms' } }],
    })
    await post(server, placed(1), { ...placed(2), data: { price: 2.5, count: 2 } })
    const all = await poll(async () => {
      const found = await sagas(server, 'order')
      return found.length === 2 && found.some(({ status }) => status === 'completed') ? found : undefined
    })
    const odd = all.find(({ status }) => status === 'needs_attention')
    expect(odd?.problem).toMatch(/EXPRESSION: trigger: /)
    const note = JSON.stringify({ note: 'a test order' })
    expect((await ask(server.url, 'POST', `/v1/sagas/${odd?.id}/cancel`, note)).status).toBeLessThan(300)
    await poll(async () => (await sagas(server, 'order')).find(({ status }) => status === 'compensated'))
  })
})
