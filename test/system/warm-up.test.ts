import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '@splitstream/kernel'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from '../../src/engines/clickhouse/embedded.ts'
import { type Breach, type BreakingProxy, startBreakingProxy } from './breaking-proxy.fixture.ts'
import { figures, once, send, start } from './lives.fixture.ts'

/* At its start the server reads the keys of what is stored, in one stream. A key that it misses is an event that a retry doubles. */

const total = 150_000
const keyBytes = 17
let home: string
let engine: EmbeddedClickHouse
let proxy: BreakingProxy
let env: Record<string, string>

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'splitstream-warm-up-'))
  engine = await startEmbeddedClickHouse({ dataDir: join(home, 'clickhouse'), logger: silentLogger })
  proxy = await startBreakingProxy(engine.url)
  env = { CLICKHOUSE_URL: `http://${engine.username}:${engine.password}@127.0.0.1:${proxy.port}` }
  const server = await start(join(home, 'data'), env)
  for (let from = 0; from < total; from += 50_000) await send(server.url, from, 50_000)
  await server.stop()
})

afterAll(async () => {
  await proxy?.stop()
  await engine?.stop()
  await rm(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
})

describe('a stream of keys that breaks off while the index is warmed', () => {
  it.each<[string, Breach]>([
    // So late that the answer has begun: its status is 200, and the error stands at its end.
    ['because the engine gives up', { parameters: { max_result_rows: `${total - 20_000}`, max_block_size: '8192' } }],
    ['between two keys, like a whole one', { cut: { afterBytes: 20_000 * keyBytes, how: 'ended' } }],
    ['within a key, like a whole one', { cut: { afterBytes: 20_000 * keyBytes + 5, how: 'ended' } }],
    ['with its connection', { cut: { afterBytes: 20_000 * keyBytes, how: 'reset' } }],
  ])('%s, is read again, and retries are still retries', async (_, breach) => {
    const before = proxy.breaches
    proxy.arm('SELECT _key', breach)
    const server = await start(join(home, 'data'), env)
    expect(proxy.breaches).toBe(before + 1)
    for (let from = 0; from < total; from += total / 15) await send(server.url, from, 1_000)
    expect(await figures(server.url)).toEqual(once(0, total))
    expect(server.output()).toContain('the seen-index cannot be filled yet')
  })
})
