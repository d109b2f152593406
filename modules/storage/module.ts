import type { IngestAppend } from '@splitstream/ingest/contract'
import {
  type ClickHouse,
  type Clock,
  decodePosition,
  encodePosition,
  type Logger,
  type LogReader,
  type Metrics,
  type Module,
  type Postgres,
  type Tracer,
} from '@splitstream/kernel'
import { DeadLetters } from './adapters/dead-letters.ts'
import { EventsTable } from './adapters/events-table.ts'
import { deadLetterRoutes, lossRoutes } from './adapters/http-routes.ts'
import { acknowledgeLosses, listLosses } from './adapters/losses.ts'
import { deadLetterOperations, lossOperations } from './adapters/operations.ts'
import { createReader, type ReadLimits } from './adapters/read/reader.ts'
import { watchTables } from './adapters/table-metrics.ts'
import { checkGiven } from './app/check-given.ts'
import { Confirmed } from './app/confirmed.ts'
import { followEvents } from './app/follow-events.ts'
import { Gate } from './app/gate.ts'
import { StorageWriter, type WriterDeps } from './app/storage-writer.ts'
import type { StorageRead } from './contract/index.ts'

export const operations = { ...deadLetterOperations, ...lossOperations }

export interface StorageDeps {
  readonly log: LogReader
  readonly clickhouse: ClickHouse
  readonly postgres: Postgres
  readonly ingest: IngestAppend
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tracer: Tracer
  readonly limits: WriterDeps['limits'] & { readonly read: ReadLimits }
}

/** Statements that all followers of events may run at once. */
const followPlaces = 2

/** The storage module: owns the events table and the schema `storage`; the consumer group `storage` of the log. */
export function createStorageModule(deps: StorageDeps): Module<{ read: StorageRead }> {
  const { clock, clickhouse, postgres } = deps
  const confirmed = new Confirmed(clock, deps.log)
  const table = new EventsTable(clickhouse)
  watchTables(deps)
  const writer = new StorageWriter({ ...deps, table, confirmed })
  const reader = createReader({ clickhouse, clock, confirmed: () => confirmed.position(), limits: deps.limits.read })
  const following = { clickhouse, clock, confirmed, limits: deps.limits.read, gate: new Gate(followPlaces) }

  return {
    ports: {
      read: {
        ...reader,
        awaitStored: async ({ position }, call) => {
          const wanted = decodePosition(position)
          checkGiven(deps.log, wanted)
          await confirmed.until(wanted, call)
          return { position: encodePosition(confirmed.position()) }
        },
        follow: async (input, call) => followEvents(following, input, call),
      },
    },
    routes: [
      ...deadLetterRoutes(new DeadLetters(postgres), deps.ingest),
      ...lossRoutes({
        list: (limit, before) => listLosses(postgres, limit, before),
        acknowledge: async () => {
          const acknowledged = await acknowledgeLosses(postgres)
          await writer.countLosses()
          return acknowledged
        },
      }),
    ],
    start: () => writer.start(),
    stop: () => writer.stop(),
    health: () => writer.health(),
  }
}
