import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectClickHouse } from '../../../src/engines/clickhouse/client.ts'
import { startToxicProxy, type ToxicProxy } from '../../../test/support/toxics/proxy.ts'
import { EventsTable } from './events-table.ts'
import { as, clickhouse, engine } from './read/reader.fixture.ts'

/* The host of a server that is gone without a word: nothing comes any more, and nothing ends. */

/** More bytes of keys than the way takes at once. */
const rows = 1_000_000
const silentMs = 3_000
let proxy: ToxicProxy
let remote: ReturnType<typeof connectClickHouse>
let table: EventsTable

beforeAll(async () => {
  await clickhouse.command(
    {
      sql: `INSERT INTO events (tenant, time, received, _key, _log_partition, _log_offset)
            SELECT 't', now64(6), now64(6), sipHash64(number), 0, number FROM numbers(${rows})`,
    },
    as('system'),
  )
})
beforeEach(async () => {
  proxy = await startToxicProxy({ target: engine.url })
  remote = connectClickHouse({ ...engine, url: proxy.url, database: 'default' })
  table = new EventsTable(remote, undefined, { silentMs })
})
afterEach(async () => {
  await remote?.close()
  await proxy?.stop()
})

async function lengthOf(chunks: AsyncIterable<Uint8Array>, onChunk: () => unknown = () => undefined): Promise<number> {
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    await onChunk()
  }
  return bytes
}

const vanish = (): void => proxy.set('down', { kind: 'timeout', ms: 0 })

describe.each([
  ['keysIn', () => table.keysIn([{ partition: 0, from: 0, next: rows }], as('system'))],
  ['recentKeys', () => table.recentKeys(0, as('system'))],
])('%s', (_, keys) => {
  it('has all keys, however slowly they are taken', async () => {
    let chunks = 0
    const rest = () => ++chunks === 2 && new Promise((resolve) => setTimeout(resolve, 1.5 * silentMs))
    expect(await lengthOf(await keys(), rest)).toBe(rows * 21)
  })

  it.each([
    ['before the first chunk', vanish, undefined],
    ['after the first chunk', () => undefined, vanish],
  ])('ends when nothing comes any more, %s', async (_, before, onChunk) => {
    await table.count(as('system'))
    before()
    const from = performance.now()
    const reading = (async () => lengthOf(await keys(), onChunk))()
    await expect(reading).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'ClickHouse sent nothing for 3 s' })
    expect(performance.now() - from).toBeLessThan(15_000)
    // The next one goes over another connection.
    proxy.heal()
    expect(await lengthOf(await keys())).toBe(rows * 21)
  })
})
