import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { systemCall, systemClock } from '@splitstream/kernel'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { connectClickHouse } from './client.ts'

// Takes connections and never answers: what a hung engine, or a host that lost its network, looks like.
const hung = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
await once(hung, 'listening')
const url = `http://127.0.0.1:${(hung.address() as AddressInfo).port}`
const clickhouse = connectClickHouse({ url, username: 'default', password: '', database: 'default' })

// Begins an answer and never ends it; says when its client has gone.
let left: Promise<unknown> = Promise.resolve()
const endless = createHttpServer((_, response) => {
  left = once(response, 'close')
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  response.write('{"a":1}\n')
}).listen(0, '127.0.0.1')
await once(endless, 'listening')
const begun = connectClickHouse({
  url: `http://127.0.0.1:${(endless.address() as AddressInfo).port}`,
  username: 'default',
  password: '',
  database: 'default',
})

afterAll(async () => {
  await clickhouse.close()
  await begun.close()
  hung.close()
  endless.close()
})

describe('an engine that does not answer', () => {
  const insert = { table: 't', columns: ['a'], format: 'RowBinary', body: [new Uint8Array(100)] } as const
  const never = new AbortController().signal

  it.each([
    ['rows', (call: ReturnType<typeof systemCall>) => clickhouse.rows({ sql: 'SELECT 1' }, call)],
    ['command', (call: ReturnType<typeof systemCall>) => clickhouse.command({ sql: 'SELECT 1' }, call)],
    ['insert', (call: ReturnType<typeof systemCall>) => clickhouse.insert(insert, call)],
  ])('%s ends with the budget of its call', async (_, run) => {
    await expect(run(systemCall(systemClock, 200, never))).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
  })

  it('a caller that leaves first is told so', async () => {
    const work = clickhouse.insert(insert, systemCall(systemClock, 20_000, AbortSignal.timeout(100)))
    await expect(work).rejects.toMatchObject({ code: 'CANCELLED' })
  })
})

describe('an answer that has begun and does not end', () => {
  const call = (signal: AbortSignal, budgetMs = 20_000) => systemCall(systemClock, budgetMs, signal)
  const never = new AbortController().signal

  it('rows end with the caller, and the connection with them', async () => {
    const work = begun.rows({ sql: 'SELECT 1' }, call(AbortSignal.timeout(200)))
    await expect(work).rejects.toMatchObject({ code: 'CANCELLED' })
    await left
  })

  it('rows end with the budget', async () => {
    await expect(begun.rows({ sql: 'SELECT 1' }, call(never, 200))).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    await left
  })

  it('a stream ends with the caller', async () => {
    const stop = new AbortController()
    const stream = await begun.stream({ sql: 'SELECT 1', format: 'JSONEachRow' }, call(stop.signal))
    const read = (async () => {
      for await (const _ of stream) stop.abort()
    })()
    await expect(read).rejects.toThrow()
    await left
  })
})

describe('a connection that is cut', () => {
  const call = () => systemCall(systemClock, 20_000, new AbortController().signal)

  /** @param cut told how many requests came before on the connection, and in all */
  async function cutting(cut: (onConnection: number, inAll: number) => 'before' | 'within' | undefined) {
    const seen = new Map<object, number>()
    let requests = 0
    const server = createHttpServer((request, response) => {
      const before = seen.get(request.socket) ?? 0
      seen.set(request.socket, before + 1)
      const when = cut(before, requests++)
      request.resume()
      if (when === 'before') request.socket.destroy()
      else if (when === 'within') {
        response.writeHead(200, { 'content-length': '100' })
        response.write('{"a":1}\n', () => request.socket.destroy())
      } else response.end('{"a":1}\n')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const url = `http://127.0.0.1:${port}`
    const client = connectClickHouse({ url, username: 'default', password: '', database: 'default' })
    onTestFinished(async () => {
      await client.close()
      server.close()
    })
    return { client, requests: () => requests }
  }

  it.each(['before', 'within'] as const)('%s the answer, after it was kept: a read is made again', async (when) => {
    const { client, requests } = await cutting((onConnection) => (onConnection === 1 ? when : undefined))
    await client.rows({ sql: 'SELECT 1' }, call())
    expect(await client.rows({ sql: 'SELECT 1' }, call())).toEqual([{ a: 1 }])
    expect(requests()).toBe(3)
  })

  it.each(['before', 'within'] as const)(
    '%s the answer, always: a read is made twice, and then fails',
    async (when) => {
      const { client, requests } = await cutting(() => when)
      await expect(client.rows({ sql: 'SELECT 1' }, call())).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      expect(requests()).toBe(2)
    },
  )

  it('an insert is not made again: it may have happened', async () => {
    const { client, requests } = await cutting(() => 'before')
    const insert = { table: 't', columns: ['a'], format: 'RowBinary', body: [new Uint8Array(100)] } as const
    await expect(client.insert(insert, call())).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(requests()).toBe(1)
  })
})
