import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

export interface Shop extends AsyncDisposable {
  readonly url: string
  /** Trace contexts as they came, by path. */
  readonly traces: ReadonlyMap<string, readonly string[]>
}

/** A participant: charges, refunds, and ships at the second attempt, or never where it cannot. */
export async function openShop(): Promise<Shop> {
  const traces = new Map<string, string[]>()
  const server = createServer(async (request, response) => {
    const { order, country } = (await json(request)) as { order: string; country?: string }
    const path = request.url ?? ''
    const before = traces.get(path) ?? []
    traces.set(path, [...before, String(request.headers.traceparent)])
    const status = path === '/ship' ? shipping(country, before.length) : 200
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ order }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    traces,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function shipping(country: string | undefined, before: number): number {
  if (country === 'AQ') return 422
  return before === 0 ? 503 : 200
}

/** The saga that it is for; orders that are placed start it as well. */
export const orderSaga = (url: string): object => ({
  participants: { shop: { url } },
  trigger: { type: 'order.placed' },
  steps: [
    {
      id: 'charge',
      call: { participant: 'shop', path: '/charge', body: { order: '${input.order}' } },
      compensate: { participant: 'shop', path: '/refund', body: { order: '${input.order}' } },
    },
    {
      id: 'ship',
      call: { participant: 'shop', path: '/ship', body: { order: '${input.order}', country: '${input.country}' } },
      retry: { attempts: 3, initial: '20ms', jitter: 0 },
    },
  ],
})
