import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Receipt, Story } from './story.ts'

interface Saga {
  readonly id: string
  readonly status: string
  readonly output: unknown
}

/** What follows from something else is awaited this long. */
const patienceMs = 20_000

/**
 * Orders that are charged, reserved and shipped, or undone as a whole: asked for over HTTP, and started by events. What a saga
 * emits is read like any event.
 */
export async function sagas(story: Story): Promise<void> {
  const { sagas: client, ingest, query, place } = story
  const published = await client.ask('PUT', '/v1/saga-definitions/order', { body: JSON.stringify(order(story)) })
  story.tell('a definition', published.status)
  expect(published.status).toBe(201)

  const start = async (what: string, key: string, input: object): Promise<Saga> => {
    const ask = { body: JSON.stringify(input), idempotencyKey: key }
    const { status, json } = await client.persist<Saga>('POST', '/v1/sagas/order?wait=20', ask)
    story.tell(what, [status, json.status, json.output])
    return json
  }
  const shipped = await start('an order', 'k-1', { orderId: 'o-1', amount: 30, quantity: 1, country: 'BE' })
  const again = await start('the same again', 'k-1', { orderId: 'o-1', amount: 30, quantity: 1, country: 'BE' })
  expect(again.id).toBe(shipped.id)
  await start('one that cannot be shipped', 'k-2', { orderId: 'o-2', amount: 20, quantity: 2, country: 'AQ' })

  const placed = { orderId: 'o-3', amount: 10, quantity: 1, country: 'BE' }
  const body = JSON.stringify({
    ...{ specversion: '1.0', id: 'placed-3', source: '/shop', type: 'order.placed', subject: 'o-3' },
    ...{ time: '2026-03-01T12:00:00Z', datacontenttype: 'application/json', data: placed },
  })
  for (let i = 0; i < 3; i++) {
    const { status } = await ingest.ask<Receipt>('POST', '/v1/events', { body, type: 'application/cloudevents+json' })
    expect(status).toBe(202)
  }
  story.acknowledged.add('placed-3')
  await until(async () => {
    const { json } = await client.ask<{ sagas: Saga[] }>('GET', '/v1/sagas?name=order&status=completed')
    return json.sagas.length === 2
  })
  await until(async () => {
    const { json } = await query.ask<{ events: { id: string }[] }>('GET', '/v1/events?type=order.shipped')
    for (const { id } of json.events) story.acknowledged.add(id)
    return json.events.length === 2
  })
  const { json } = await client.ask<{ sagas: Saga[] }>('GET', '/v1/sagas?name=order')
  story.tell('all sagas', json.sagas.map(({ status }) => status).sort())
  expect(json.sagas).toHaveLength(3)
  const effects = place.participants.ledger().map(({ orderId, effect }) => `${orderId} ${effect}`)
  story.tell('effects', effects.sort())
  expect(effects).toEqual([
    ...['o-1 charge', 'o-1 reserve', 'o-1 ship'],
    ...['o-2 charge', 'o-2 refund', 'o-2 release', 'o-2 reserve'],
    ...['o-3 charge', 'o-3 reserve', 'o-3 ship'],
  ])
}

function order({ place: { participants } }: Story): object {
  const at = (service: string) => ({ url: `${participants.url}/${service}` })
  const call = (participant: string, path: string, ...names: string[]) => {
    const body = Object.fromEntries(['orderId', ...names].map((name) => [name, `\${input.${name}}`]))
    return { participant, path, body }
  }
  return {
    participants: { payments: at('payments'), stock: at('stock'), shipping: at('shipping') },
    trigger: { type: 'order.placed' },
    steps: [
      { id: 'charge', call: call('payments', '/charges', 'amount'), compensate: call('payments', '/refunds') },
      { id: 'turns', lock: { key: 'stock' } },
      { id: 'reserve', call: call('stock', '/reservations', 'quantity'), compensate: call('stock', '/releases') },
      { id: 'ship', call: call('shipping', '/shipments', 'country') },
      { id: 'told', emit: { type: 'order.shipped', subject: '${input.orderId}', data: '${input}' } },
    ],
    output: { order: '${input.orderId}' },
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const over = performance.now() + patienceMs
  while (!(await holds())) {
    expect(performance.now()).toBeLessThan(over)
    await delay(50)
  }
}
