import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ClickHouse, silentLogger, systemCall, systemClock } from '@splitstream/kernel'
import { afterAll, beforeAll } from 'vitest'
import { connectClickHouse } from '../../../../src/engines/clickhouse/client.ts'
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from '../../../../src/engines/clickhouse/embedded.ts'
import { migrateClickHouse } from '../../../../src/engines/clickhouse/migrate.ts'
import type { AggregateInput, Filter } from '../../contract/index.ts'
import { aggregateInput } from './aggregate-input.fixture.ts'
import { createReader, type ReadLimits } from './reader.ts'
import { insertEvents, type TestEvent } from './rows.fixture.ts'

/* Everything here runs against the real engine. Each group of tests has a tenant of its own. */

export const limits: ReadLimits = {
  maxExecutionMs: 10_000,
  maxMemoryBytes: 2 ** 30,
  maxRowsToRead: 1e8,
  maxResultBytes: 2 ** 26,
}
export const never: AbortSignal = new AbortController().signal
export const as = (tenant: string, budgetMs = 20_000) => systemCall(systemClock, budgetMs, never, tenant)

export let dir: string
export let engine: EmbeddedClickHouse
export let clickhouse: ClickHouse & { close(): Promise<void> }
export let reader: ReturnType<typeof createReader>
let nextOffset = 0

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-read-'))
  engine = await startEmbeddedClickHouse({ dataDir: dir, logger: silentLogger })
  clickhouse = connectClickHouse({ ...engine, database: 'default' })
  await migrateClickHouse(clickhouse, fileURLToPath(new URL('../../../../migrations/clickhouse', import.meta.url)))
  reader = createReader({ clickhouse, confirmed: () => new Map([[0, 7]]), limits })
}, 60_000)

afterAll(async () => {
  await clickhouse?.close()
  await engine?.stop()
  await rm(dir, { recursive: true, force: true })
})

export async function insert(tenant: string, events: readonly TestEvent[]): Promise<void> {
  await insertEvents(
    clickhouse,
    events.map((event) => ({ tenant, ...event })),
    as(tenant),
    nextOffset,
  )
  nextOffset += events.length
}

export const insertDocs = (tenant: string, docs: readonly unknown[]): Promise<void> =>
  insert(
    tenant,
    docs.map((doc, i) => ({ id: `e${i}`, data: JSON.stringify(doc) })),
  )

export function aggregate(tenant: string, part: Partial<AggregateInput>) {
  return reader.aggregate(aggregateInput({ limit: 10_000, ...part }), as(tenant))
}

export async function idsWhere(tenant: string, ...filters: Filter[]): Promise<string[]> {
  const { events } = await reader.list({ range: {}, filters, limit: 10_000 }, as(tenant))
  return events.map(({ id }) => String(id)).toSorted()
}

export const sorted = (values: readonly unknown[]): string[] => values.map((value) => JSON.stringify(value)).toSorted()
