import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { systemCall, systemClock } from '@splitstream/kernel'
import { afterAll, describe, expect, it } from 'vitest'
import { connectClickHouse } from './client.ts'

// Takes connections and never answers: what a hung engine, or a host that lost its network, looks like.
const hung = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1')
await once(hung, 'listening')
const url = `http://127.0.0.1:${(hung.address() as AddressInfo).port}`
const clickhouse = connectClickHouse({ url, username: 'default', password: '', database: 'default' })

afterAll(async () => {
  await clickhouse.close()
  hung.close()
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
