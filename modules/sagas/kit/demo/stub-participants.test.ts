import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { sagaDefinition } from '../../domain/definition.ts'
import { conformanceReport, parseConformance, runConformance } from '../conformance/index.ts'
import { orderSaga, type StubOptions, type StubParticipants, startStubParticipants } from './index.ts'

let stubs: StubParticipants | undefined

async function start(options?: StubOptions): Promise<StubParticipants> {
  stubs = await startStubParticipants(options)
  return stubs
}

afterEach(async () => {
  await stubs?.close()
  stubs = undefined
})

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

/** Each path is another step of the same saga. */
async function call(url: string, path: string, operation: 'do' | 'undo', body: object): Promise<number> {
  const headers = {
    'content-type': 'application/json',
    'idempotency-key': `saga-1:${path}:${operation}`,
    'splitstream-saga': 'saga-1',
    'splitstream-step': path,
    'splitstream-operation': operation,
    'splitstream-fencing-token': '1',
  }
  return (await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })).status
}

describe('stub participants', () => {
  it('conform', async () => {
    const { url } = await start({ secret, faults: true, onError: () => undefined })
    const file = readFileSync(new URL('payments.conformance.json', import.meta.url), 'utf8')
    const payments = parseConformance({ ...JSON.parse(file), url: `${url}/payments`, secret })
    const stock = parseConformance({
      url: `${url}/stock`,
      do: { path: '/reservations', body: { orderId: '{{saga}}', quantity: 3 } },
      undo: { path: '/releases', body: { orderId: '{{saga}}' } },
      refused: { path: '/reservations', body: { orderId: '{{saga}}', quantity: 1_000 } },
      observe: { path: '/balance', pointer: '/balance' },
      unit: 3,
      secret,
    })
    for (const options of [payments, stock]) {
      const results = await runConformance(options)
      expect(results).toHaveLength(12)
      expect(conformanceReport(results)).toContain('12 passed, 0 failed')
    }
  })

  it('refuse, fail, answer late, cut and hang when they are told to', async () => {
    const { url, ledger } = await start({
      refuses: ({ body }) => (body as { orderId: string }).orderId === 'refuse',
      misbehaves: ({ body }) => {
        const { orderId } = body as { orderId: string }
        if (orderId === 'slow') return { delayMs: 50 }
        return orderId === 'before' || orderId === 'after' || orderId === 'hang' ? { fail: orderId } : undefined
      },
    })
    const charge = (orderId: string) => call(url, '/payments/charges', 'do', { orderId, amount: 1 })
    expect(await charge('before')).toBe(500)
    expect(ledger()).toEqual([])
    const hanging = charge('hang').catch(() => 'cut')
    await expect(charge('after')).rejects.toThrow()
    expect(ledger()).toMatchObject([{ service: 'payments', effect: 'charge', amount: 1 }])
    expect(await call(url, '/shipping/shipments', 'undo', { orderId: 'x' })).toBe(204)
    expect(await call(url, '/stock/reservations', 'do', { orderId: 'slow', quantity: 1 })).toBe(201)
    await stubs?.close()
    stubs = undefined
    expect(await hanging).toBe('cut')
  })

  it('refuse for good, and ship nothing to Antarctica', async () => {
    const { url, ledger } = await start({ refuses: ({ service }) => service === 'stock' })
    expect(await call(url, '/stock/reservations', 'do', { orderId: 'o', quantity: 1 })).toBe(400)
    expect(await call(url, '/shipping/shipments', 'do', { orderId: 'o', country: 'AQ' })).toBe(400)
    expect(ledger()).toEqual([])
  })
})

it('the demo saga is a definition', () => {
  const definition = orderSaga({ url: 'http://127.0.0.1:1' })
  expect(sagaDefinition.parse(definition)).toEqual(definition)
  expect(definition.participants?.stock?.url).toBe('http://127.0.0.1:1/stock')
})
