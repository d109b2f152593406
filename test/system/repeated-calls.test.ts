import { type IngestAppend, ingestAppendPort } from '@splitstream/ingest/contract'
import { type CallPort, type MethodDescription, systemCall, systemClock } from '@splitstream/kernel'
import { type StorageRead, storageReadPort } from '@splitstream/storage/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { staticResolver } from '../../src/discovery/static.ts'
import { callOverHttp } from '../../src/transports/http/client.ts'
import { ConnectionPool } from '../../src/transports/http/pool.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { type HttpProxy, startHttpProxy } from './http-proxy.fixture.ts'

/*
 * Every method of the product that is described as idempotent is called twice: the first call has its effect, its answer is cut
 * off, and the adapter calls again by itself. The caller gets the one answer, and there is one effect.
 */

const secret = 'the secret of the repeated calls'
let server: RunningServer
let proxy: HttpProxy
let pool: ConnectionPool
/** Answers to be lost, and calls that went by. */
let [lose, calls] = [0, 0]

beforeAll(async () => {
  server = await startServer({ env: { INTERNAL_SECRET: secret } })
  proxy = await startHttpProxy(server.url, () => {
    calls++
    if (lose === 0) return 'whole'
    lose--
    return (answer, outgoing) => answer.once('readable', () => outgoing.destroy())
  })
  pool = new ConnectionPool()
})
afterAll(async () => {
  pool?.close()
  await proxy?.stop()
  await server?.stop()
})

const bind = <P extends object>(port: CallPort<P>): P =>
  callOverHttp(port, { instances: staticResolver([proxy.origin]), pool, secret, clock: systemClock })

const call = () => systemCall(systemClock, 20_000, new AbortController().signal, 'repeated')

/** The answer to the second of two calls. */
async function twice<T>(work: () => Promise<T>): Promise<T> {
  ;[lose, calls] = [1, 0]
  const answer = await work()
  expect(calls).toBe(2)
  return answer
}

const batch = (...ids: string[]) => ({
  body: Buffer.from(ids.map((id) => JSON.stringify({ id, source: '/shop', type: 'order', data: { n: 1 } })).join('\n')),
  mediaType: 'application/x-ndjson',
  mode: 'partial' as const,
})
const range = {}
const list = { range, filters: [], limit: 100 }
const measures = [{ fn: 'count' as const, as: 'n' }]
const count = {
  measures,
  groupBy: ['id'],
  range,
  filters: [],
  having: [],
  orderBy: [{ by: 'id', dir: 'asc' as const }],
  limit: 100,
}

/** One for each method; the compiler sees that none is missing. */
const repeated: { readonly [M in keyof IngestAppend | keyof StorageRead]: () => Promise<void> } = {
  append: async () => {
    const ingest = bind(ingestAppendPort)
    const { position, ...receipt } = await twice(() => ingest.append(batch('a', 'b', 'c'), call()))
    expect(receipt).toEqual({ accepted: 3, rejected: 0, duplicates: 0, repeated: [], errors: [] })
    const storage = bind(storageReadPort)
    await storage.awaitStored({ position: position! }, call())
    const { events } = await storage.list(list, call())
    expect(events.map(({ id }) => id).toSorted()).toEqual(['a', 'b', 'c'])
  },
  list: async () => {
    const storage = bind(storageReadPort)
    const once = await storage.list(list, call())
    expect(await twice(() => storage.list(list, call()))).toEqual(once)
  },
  aggregate: async () => {
    const storage = bind(storageReadPort)
    const once = await storage.aggregate(count, call())
    expect(await twice(() => storage.aggregate(count, call()))).toEqual(once)
    expect(once.rows).toEqual(['a', 'b', 'c'].map((id) => ({ id, n: 1 })))
  },
  awaitStored: async () => {
    const storage = bind(storageReadPort)
    const { position } = await storage.list(list, call())
    const once = await storage.awaitStored({ position }, call())
    expect(await twice(() => storage.awaitStored({ position }, call()))).toEqual(once)
  },
  follow: async () => {
    const storage = bind(storageReadPort)
    const before = await storage.list(list, call())
    const pages = await twice(() => storage.follow({ filters: [], from: before.position }, call()))
    await bind(ingestAppendPort).append(batch('d', 'e'), call())
    const followed: unknown[] = []
    for await (const { events } of pages) {
      followed.push(...events.map(({ event }) => event.id))
      if (followed.length >= 2) break
    }
    expect(followed.toSorted()).toEqual(['d', 'e'])
  },
}

const idempotent = [ingestAppendPort, storageReadPort].flatMap(({ methods }) =>
  Object.entries<MethodDescription>(methods).flatMap(([name, method]) => (method.idempotent ? [name] : [])),
)

it('methods that are repeated at will are all of these', () => {
  expect(idempotent.toSorted()).toEqual(Object.keys(repeated).toSorted())
})

// What the first one appends, the others read.
describe('a method that is called twice', { shuffle: false }, () => {
  it.each(Object.entries(repeated))('%s', (_, run) => run())
})
