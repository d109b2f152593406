import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Detail, isEnded, SagaWorld } from './sagas.fixture.ts'

type Ordered = Detail & { readonly order: string }

let world: SagaWorld
/** What refuses or fails for an order, by its id: `stock do`, `payments undo`. */
const faults = new Map<string, string>()

beforeAll(async () => {
  const fault = (body: unknown) => faults.get((body as { orderId?: string }).orderId ?? '')
  world = await SagaWorld.start({
    misbehaves: ({ service, operation, body }) =>
      fault(body) === `${service} ${operation}` ? { fail: 'before' } : undefined,
    refuses: ({ service, body }) => fault(body) === `${service} refuses`,
  })
  await world.publish('order', impatient(false))
  await world.publish('final', impatient(true))
})
afterAll(() => world?.close())

/** As the demo, with few attempts. With `early` the charge is the pivot. */
function impatient(early: boolean): object {
  const retry = { attempts: 2, initial: '10ms' }
  const call = (service: string, path: string) => ({ participant: 'p', path: `/${service}/${path}`, body: '${input}' })
  const undo = (service: string, path: string) => (early ? {} : { compensate: { ...call(service, path), retry } })
  return {
    participants: { p: { url: world.stubs.url } },
    steps: [
      { id: 'charge', call: call('payments', 'charges'), retry, ...undo('payments', 'refunds'), pivot: early },
      { id: 'reserve', call: call('stock', 'reservations'), retry, ...undo('stock', 'releases') },
      { id: 'ship', call: call('shipping', 'shipments'), retry, ...(early ? {} : { pivot: true }) },
    ],
    output: '${steps}',
  }
}

const input = (fault?: string) => {
  const orderId = randomUUID()
  if (fault !== undefined) faults.set(orderId, fault)
  return { orderId, amount: 10, quantity: 1, country: 'BE' }
}

const tell = (id: string, action: string, body?: object, headers: Record<string, string> = {}) =>
  world.api<Ordered>('POST', `/v1/sagas/${id}/${action}`, { body, headers })

const stopped = ({ status }: Detail): boolean => status === 'needs_attention'
const effectsOf = (id: string): string[] =>
  world.stubs
    .ledger()
    .filter(({ saga }) => saga === id)
    .map(({ effect }) => effect)

const lastOrders = async (id: string): Promise<object[]> => {
  const { json } = await world.api<{ history: { event: string }[] }>('GET', `/v1/sagas/${id}/history`)
  return json.history.filter(({ event }) => event.startsWith('operator_'))
}

describe('cancel', () => {
  it('undoes what was done, and says so in the answer', async () => {
    await world.publish('slow', {
      participants: { p: { url: world.stubs.url } },
      steps: [
        {
          id: 'charge',
          call: { participant: 'p', path: '/payments/charges', body: '${input}' },
          compensate: { participant: 'p', path: '/payments/refunds', body: '${input}' },
        },
        { id: 'rest', wait: { for: '1h' } },
      ],
    })
    const id = await world.begin('slow', input())
    await world.until(id, ({ steps }) => steps[1]?.status === 'waiting')
    const { status, json } = await tell(id, 'cancel', { note: 'ordered twice' })
    expect([status, json]).toMatchObject([200, { id, turned: { code: 'CANCELLED' } }])
    expect((await world.until(id, isEnded)).status).toBe('compensated')
    expect(effectsOf(id)).toEqual(['charge', 'refund'])
    expect(await lastOrders(id)).toMatchObject([
      { event: 'operator_acted', action: 'cancel', order: json.order, note: 'ordered twice', who: expect.any(String) },
    ])
  })

  it('needs no body; it is refused behind the pivot, with the reason, and noted', async () => {
    const id = await world.begin('final', input('stock refuses'))
    await world.until(id, stopped)
    const { status, code, json } = await tell(id, 'cancel')
    expect([status, code]).toEqual([409, 'CONFLICT'])
    expect(json).toMatchObject({ detail: expect.stringContaining('the pivot is behind it') as string })
    expect(await lastOrders(id)).toMatchObject([{ event: 'operator_refused', action: 'cancel', order: json.order }])
    expect((await world.saga(id)).status).toBe('needs_attention')
  })

  it('of a saga that has ended is refused', async () => {
    const id = await world.begin('order', input())
    const { endedAt } = await world.until(id, isEnded)
    const { status, json } = await tell(id, 'cancel')
    expect([status, json]).toMatchObject([409, { detail: 'Not done: the saga is completed' }])
    expect((await world.saga(id)).endedAt).toBe(endedAt)
  })
})

describe('a saga that needs attention', () => {
  it('goes on by a retry', async () => {
    const order = input('stock refuses')
    const id = await world.begin('final', order)
    const { waitingFor } = await world.until(id, stopped)
    expect(waitingFor).toMatchObject([{ for: 'operator', step: 'reserve', actions: ['retry', 'skip', 'resolve'] }])
    faults.delete(order.orderId)
    expect((await tell(id, 'retry', { step: 'reserve' })).status).toBe(200)
    expect((await world.until(id, isEnded)).status).toBe('completed')
    expect(effectsOf(id)).toEqual(['charge', 'reserve', 'ship'])
  })

  it('goes on by a skip', async () => {
    const id = await world.begin('final', input('stock refuses'))
    await world.until(id, stopped)
    expect((await tell(id, 'skip', { step: 'reserve', note: 'from the shop floor' })).status).toBe(200)
    const { status, steps } = await world.until(id, isEnded)
    expect([status, steps[1]]).toMatchObject(['completed', { status: 'skipped', effect: 'none', output: null }])
    expect(effectsOf(id)).toEqual(['charge', 'ship'])
  })

  it('goes on by a result', async () => {
    const id = await world.begin('final', input('stock refuses'))
    await world.until(id, stopped)
    expect((await tell(id, 'resolve', { step: 'reserve', output: { id: 'by hand' } })).status).toBe(200)
    expect(await world.until(id, isEnded)).toMatchObject({
      status: 'completed',
      output: { reserve: { id: 'by hand' } },
    })
  })

  it('because of a stuck undo: the other undos are done, an operator ends it', async () => {
    const order = input('stock undo')
    const id = await world.begin('order', { ...order, country: 'AQ' })
    const { waitingFor, steps } = await world.until(
      id,
      (saga) => stopped(saga) && saga.steps[0]?.undo?.status === 'done',
    )
    expect(waitingFor).toMatchObject([
      { for: 'operator', step: 'reserve', undo: true, actions: ['retry', 'skip', 'resolve'] },
    ])
    expect(steps[1]).toMatchObject({ status: 'done', undo: { status: 'stuck', attempts: 2 } })
    expect(effectsOf(id)).toEqual(['charge', 'reserve', 'refund'])
    expect((await world.api<{ sagas: object[] }>('GET', '/v1/sagas?problem=true')).json.sagas).toContainEqual(
      expect.objectContaining({ id, problem: expect.stringContaining('reserve') as string }),
    )
    faults.delete(order.orderId)
    expect((await tell(id, 'retry', { step: 'reserve' })).status).toBe(200)
    expect((await world.until(id, isEnded)).status).toBe('compensated')
    expect(effectsOf(id)).toEqual(['charge', 'reserve', 'refund', 'release'])
  })
})

describe('an order', () => {
  it.each([
    ['retry', { step: 'nothing' }, 'step nothing was not begun'],
    ['skip', { step: 'charge' }, 'step charge is done'],
    ['resolve', {}, 'resolve needs the step'],
  ])('%s %j is refused with the reason', async (action, body, why) => {
    const id = await world.begin('final', input('stock refuses'))
    await world.until(id, stopped)
    const { status, code, json } = await tell(id, action, body)
    expect([status, code, json]).toMatchObject([409, 'CONFLICT', { detail: `Not done: ${why}` }])
  })

  it.each([
    ['retry', undefined],
    ['retry', {}],
    ['skip', { step: '' }],
    ['skip', { step: 'a', output: 1 }],
    ['cancel', { now: true }],
    ['resolve', { step: 'x'.repeat(65) }],
    ['resolve', []],
    ['cancel', { note: 'x'.repeat(1_001) }],
  ])('%s %j is not one: 400', async (action, body) => {
    const { status, code } = await tell(randomUUID(), action, body as object)
    expect([status, code]).toEqual([400, 'REQUEST_INVALID'])
  })

  it('with an Idempotency-Key is given once, and answered again', async () => {
    const id = await world.begin('final', input('stock refuses'))
    await world.until(id, stopped)
    const headers = { 'idempotency-key': 'by the phone' }
    const first = await tell(id, 'resolve', { step: 'reserve', output: 1 }, headers)
    const again = await tell(id, 'resolve', { step: 'reserve', output: 1 }, headers)
    expect([first.status, again.status, again.json.order]).toEqual([200, 200, first.json.order])
    expect((await tell(id, 'resolve', { step: 'reserve', output: 2 }, headers)).code).toBe('IDEMPOTENCY_KEY_REUSED')
    expect((await tell(id, 'skip', { step: 'reserve' }, headers)).code).toBe('IDEMPOTENCY_KEY_REUSED')
    expect(await lastOrders(id)).toHaveLength(1)
  })

  it('is noted with the key that gave it', async () => {
    const made = await world.api<{ id: string; key: string }>('POST', '/v1/keys', {
      body: { name: 'night shift', tenant: 'default', scopes: ['sagas'] },
    })
    const id = await world.begin('final', input('stock refuses'))
    await world.until(id, stopped)
    await world.api('POST', `/v1/sagas/${id}/skip`, { key: made.json.key, body: { step: 'reserve' } })
    expect(await lastOrders(id)).toMatchObject([{ who: made.json.id }])
  })

  it('that nobody takes in by then is taken in later: 202', async () => {
    // More sagas than the worker of this process may hold are left to others, of which there are none.
    const small = await SagaWorld.start({ misbehaves: () => ({ delayMs: 6_000 }) }, { env: { SAGA_CAPACITY: '1' } })
    try {
      // One that only waits would make room; one whose call is on its way stays.
      await small.publish('hold', {
        participants: { p: { url: small.stubs.url, timeout: '30s' } },
        steps: [
          {
            id: 'charge',
            call: { participant: 'p', path: '/payments/charges', body: '${input}' },
            compensate: { participant: 'p', path: '/payments/refunds', body: '${input}' },
          },
        ],
      })
      await small.publish('rest', { steps: [{ id: 'w', wait: { for: '1h' } }] })
      const resting = await small.begin('rest')
      await small.until(resting, ({ worker }) => worker === null)
      await small.begin('hold', input())
      const { status, json } = await small.api<Ordered>('POST', `/v1/sagas/${resting}/cancel`)
      expect([status, json]).toMatchObject([202, { id: resting, status: 'running' }])
      expect(json.waitingFor).toContainEqual(expect.objectContaining({ for: 'worker' }))
      expect((await small.until(resting, isEnded)).status).toBe('compensated')
    } finally {
      await small.close()
    }
  })
})
