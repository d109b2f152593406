import { fileURLToPath } from 'node:url'
import { systemCall, systemClock } from '@splitstream/kernel'
import { EventsTable } from '../../modules/storage/adapters/events-table.ts'
import { connectClickHouse } from '../../src/engines/clickhouse/client.ts'
import { startEmbeddedClickHouse } from '../../src/engines/clickhouse/embedded.ts'
import { migrateClickHouse } from '../../src/engines/clickhouse/migrate.ts'
import { type EngineBlock, encodeBlocks } from './blocks.ts'
import { started, temporaryFolder } from './cleanup.ts'
import type { Series } from './payload.ts'
import type { Plan } from './plan.ts'
import { cpuSeconds } from './proc.ts'
import { progress } from './progress.ts'

const migrations = fileURLToPath(new URL('../../migrations/clickhouse', import.meta.url))
const budgetMs = 600_000

export interface EngineRate {
  /** Events per second. */
  readonly rate: number
  /** CPU time of the engine's process for an event, µs. */
  readonly cpuMicros: number
}

export interface EngineFigures {
  /** With one insert at a time, and with two. */
  readonly one: EngineRate
  readonly two: EngineRate
}

/** Figure 2: the embedded ClickHouse alone takes the same events, encoded ahead; a fresh engine for each way. */
export async function measureEngine(plan: Plan, series: Series): Promise<EngineFigures> {
  progress(`engine alone: encoding ${plan.events} events`)
  const warmUp = encodeBlocks({ ...series, tag: `${series.tag}w` }, plan.warmUpEvents)
  const blocks = encodeBlocks(series, plan.events)
  progress(`engine alone: ${blocks.length} blocks, one insert at a time`)
  const one = await insertAll(warmUp, blocks, 1)
  progress(`engine alone: ${Math.round(one.rate)} events/s; now two at a time`)
  const two = await insertAll(warmUp, blocks, 2)
  progress(`engine alone: ${Math.round(two.rate)} events/s`)
  return { one, two }
}

/** Of each way the faster one. */
export const fasterOf = (a: EngineFigures, b: EngineFigures): EngineFigures => ({
  one: a.one.rate > b.one.rate ? a.one : b.one,
  two: a.two.rate > b.two.rate ? a.two : b.two,
})

async function insertAll(
  warmUp: readonly EngineBlock[],
  blocks: readonly EngineBlock[],
  atOnce: number,
): Promise<EngineRate> {
  const folder = temporaryFolder()
  const { thing: engine, stop } = await started(startEmbeddedClickHouse({ dataDir: folder.path }), (e) => e.stop())
  const clickhouse = connectClickHouse({
    url: engine.url,
    username: engine.username,
    password: engine.password,
    database: 'default',
  })
  try {
    await migrateClickHouse(clickhouse, migrations)
    const table = new EventsTable(clickhouse)
    await insert(table, warmUp, atOnce)
    const cpu = cpuSeconds(engine.pid)
    const from = performance.now()
    await insert(table, blocks, atOnce)
    const seconds = (performance.now() - from) / 1000
    const events = rowsOf(blocks)
    const cpuMicros = ((cpuSeconds(engine.pid) - cpu) * 1e6) / events
    const stored = await table.count(systemCall(systemClock, budgetMs, new AbortController().signal))
    if (stored !== events + rowsOf(warmUp)) throw new Error(`the engine has ${stored} rows, not those inserted`)
    return { rate: events / seconds, cpuMicros }
  } finally {
    await clickhouse.close()
    await stop()
    await folder.remove()
  }
}

async function insert(table: EventsTable, blocks: readonly EngineBlock[], atOnce: number): Promise<void> {
  const call = systemCall(systemClock, budgetMs, new AbortController().signal)
  let taken = 0
  const lane = async (): Promise<void> => {
    for (let block = blocks[taken++]; block; block = blocks[taken++]) {
      await table.insert([block.body], block.token, call)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}

const rowsOf = (blocks: readonly EngineBlock[]): number => blocks.reduce((sum, { rows }) => sum + rows, 0)
