/* The sagas module as a process has it, on a real Postgres and a real local log that the real ingest appends to. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { IngestAppend, Receipt } from '@splitstream/ingest/contract'
import {
  type LogReader,
  type LogWriter,
  noMetrics,
  noTracer,
  silentLogger,
  systemCall,
  systemClock,
  systemRandom,
} from '@splitstream/kernel'
import { connectPostgres } from '../../../src/engines/postgres/driver.ts'
import { createBreakers } from '../../../src/resilience/breakers.ts'
import { openLocalLog } from '../../../src/transports/log/local-log.ts'
import { Definitions } from '../adapters/definitions.ts'
import { parseDefinition } from '../domain/check-definition.ts'
import { decodeEntries, type Entry } from '../domain/entry.ts'
import type { Json } from '../domain/json.ts'
import { createSagasModule } from '../module.ts'
import { productPool, startDatabase, tenant } from './worker.fixture.ts'

const parts = { clock: systemClock, logger: silentLogger, metrics: noMetrics, tracer: noTracer }
const never = new AbortController().signal

export interface TestEvent {
  readonly id: string
  readonly type: string
  readonly source?: string
  readonly subject?: string
  readonly data?: Json
  readonly [extension: string]: Json | undefined
}

/** As the registry has it: `load.ingest`, which only tests themselves may import. */
type LoadIngest = () => Promise<
  (deps: typeof parts & IngestNeeds) => { readonly ports: { readonly append: IngestAppend } }
>

interface IngestNeeds {
  readonly log: LogWriter
  readonly storage: { awaitStored(): Promise<never> }
  readonly limits: { maxEvents: number; maxEventBytes: number; maxNameBytes: number; maxAheadMs: number }
}

export async function startEventLog(loadIngest: LoadIngest) {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-sagas-log-'))
  const log = await openLocalLog({ ...parts, dir, partitions: 2, minFreeBytes: 0 })
  const storage = { awaitStored: () => Promise.reject(new Error('nothing is stored here')) }
  const limits = { maxEvents: 10_000, maxEventBytes: 1 << 20, maxNameBytes: 1_024, maxAheadMs: 86_400_000 }
  const ingest = (await loadIngest())({ ...parts, log, storage, limits }).ports.append
  return {
    log,
    ingest,
    /** Posts events as a batch of a tenant; durable when it resolves. */
    post: async (events: readonly TestEvent[], of = tenant): Promise<Receipt> => {
      const body = Buffer.from(
        JSON.stringify(events.map((event) => ({ specversion: '1.0', source: '/test', ...event }))),
      )
      const input = { body, mediaType: 'application/cloudevents-batch+json', mode: 'strict' } as const
      return await ingest.append(input, systemCall(systemClock, 10_000, never, of))
    },
    stop: async () => {
      await log.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** A process that runs sagas. */
export async function startSagas(url: string, { log, ingest }: { log: LogReader; ingest: IngestAppend }) {
  const postgres = connectPostgres({ ...productPool, url, applicationName: 'sagas' })
  const module = createSagasModule({
    ...parts,
    ...{
      log,
      postgres,
      commits: postgres,
      ingest,
      hint: undefined,
      random: systemRandom,
      name: 'test',
      version: 'test',
    },
    breakers: createBreakers({ ...parts, kind: 'test_participants' }),
    signingSecret: () => new Uint8Array(32),
    limits: {
      capacity: 1_000,
      retainMs: 30 * 86_400_000,
      retainKeysMs: 365 * 86_400_000,
      maxAnswerBytes: 1 << 20,
      allowPrivate: ['127.0.0.1'],
    },
  })
  await module.start()
  const definitions = new Definitions(postgres)
  return {
    module,
    postgres,
    publish: async (name: string, definition: object, of = tenant) => {
      await definitions.publish(of, name, parseDefinition(name, definition), 'test')
    },
    retire: (name: string) => definitions.retire(tenant, name),
    stop: async () => {
      await module.stop()
      await postgres.close()
    },
    /** Its connections end first, as when the process is killed: nothing is written any more. */
    kill: async () => {
      await postgres.close()
      await module.stop()
    },
  }
}

export interface SeenSaga {
  readonly id: string
  readonly version: number
  readonly status: string
  readonly problem: string | null
  readonly owner: number | null
  readonly due_at: Date | null
  readonly entries: readonly Entry[]
  readonly input: Json
  /** The event that triggered it: `<source> <id>`. */
  readonly event: string | undefined
}

export async function startWorld(loadIngest: LoadIngest) {
  const [database, events] = await Promise.all([startDatabase(), startEventLog(loadIngest)])
  return {
    ...database,
    ...events,
    /** All sagas of a name, in the order of the events or inputs that they were started with. */
    sagas: async (name: string, of = tenant): Promise<SeenSaga[]> => {
      const rows = await database.postgres.query<Omit<SeenSaga, 'entries' | 'input' | 'event'> & { journal: string }>(
        'SELECT id, version, status, problem, owner, due_at, journal FROM sagas WHERE tenant = $1 AND name = $2',
        [of, name],
      )
      const seen = rows.map(({ journal, ...row }) => {
        const entries = decodeEntries(journal)
        const start = entries.find((entry) => entry.e === 'start')
        return { ...row, entries, input: start?.in ?? null, event: start?.from?.event }
      })
      const orderOf = ({ event, input }: SeenSaga) => event ?? JSON.stringify(input)
      return seen.sort((one, other) => (orderOf(one) < orderOf(other) ? -1 : 1))
    },
    /** Resolves when the group `sagas` has taken everything that is in the log. */
    taken: async (log: Pick<Awaited<ReturnType<typeof openLocalLog>>, 'stats'> = events.log) => {
      while ((log.stats().lag.sagas ?? 1) > 0) await systemClock.sleep(10)
    },
    /** As at the beginning, except for the log. */
    clear: async () => {
      const tables = 'definitions, sagas, starts, mail, waits, early_events, locks, workers, outbox, outbox_refused'
      await database.postgres.query(`TRUNCATE ${tables}`)
    },
    stop: async () => {
      await database.stop()
      await events.stop()
    },
  }
}

export type World = Awaited<ReturnType<typeof startWorld>>
export type Sagas = Awaited<ReturnType<typeof startSagas>>
