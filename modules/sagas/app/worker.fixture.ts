import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  noMetrics,
  noTracer,
  type Postgres,
  silentLogger,
  systemClock,
  systemRandom,
  type Tracer,
} from '@splitstream/kernel'
import { connectPostgres } from '../../../src/engines/postgres/driver.ts'
import { startEmbeddedPostgres } from '../../../src/engines/postgres/embedded.ts'
import { migratePostgres, moduleUrl } from '../../../src/engines/postgres/migrate.ts'
import { createBreakers } from '../../../src/resilience/breakers.ts'
import { Definitions } from '../adapters/definitions.ts'
import { createParticipants } from '../adapters/participants/participants.ts'
import { ensurePartitions } from '../adapters/partitions.ts'
import { SagaRows, type WholeSagaRow } from '../adapters/saga-rows.ts'
import { parseDefinition } from '../domain/check-definition.ts'
import { decodeEntries, type Entry, type Origin } from '../domain/entry.ts'
import type { Json } from '../domain/json.ts'
import { noLockHint } from './lock-hint.ts'
import { Plans } from './plans.ts'
import { SagaWorker, type WorkerDeps } from './worker.ts'

export const tenant = 'acme'

/** As a process has it (src/platform.ts). */
export const productPool = { max: 6, idleInTransactionMs: 3_000 }

export interface Received {
  readonly path: string
  readonly key: string
  readonly fence: number
  readonly body: Json
}

export interface Answer {
  readonly status?: number
  readonly body?: Json
  readonly headers?: Record<string, string>
  /** No answer at all. */
  readonly hang?: boolean
}

/** A participant that answers as it is told, and remembers what it was asked. */
export async function startParticipant() {
  const received: Received[] = []
  const left: string[] = []
  const answers = new Map<string, (request: Received) => Answer | Promise<Answer>>()
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request)
    const one: Received = {
      path: request.url ?? '',
      key: String(request.headers['idempotency-key']),
      fence: Number(request.headers['splitstream-fencing-token']),
      body,
    }
    received.push(one)
    response.once('close', () => response.writableFinished || left.push(one.path))
    const answer = (await answers.get(one.path)?.(one)) ?? {}
    if (answer.hang) return
    response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers })
    response.end(JSON.stringify(answer.body ?? { ok: one.path }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    /** Paths of requests whose sender closed the connection before it was answered. */
    left,
    /** What this path is answered from now on; 200 when nothing is said. */
    answer: (path: string, how: (request: Received) => Answer | Promise<Answer>) => answers.set(path, how),
    paths: () => received.map(({ path }) => path),
    reset: () => {
      received.length = 0
      left.length = 0
      answers.clear()
    },
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function bodyOf(request: IncomingMessage): Promise<Json> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text === '' ? null : (JSON.parse(text) as Json)
}

/** A real Postgres with the module's schema, for one file of tests. */
export async function startDatabase() {
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-sagas-'))
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })
  await migratePostgres({ url: server.url }, fileURLToPath(new URL('../../../migrations/postgres/', import.meta.url)))
  const url = moduleUrl(server.url, 'sagas')
  const postgres = connectPostgres({ url, applicationName: 'saga tests', max: 6 })
  await ensurePartitions(postgres, Date.now())
  return {
    url,
    postgres: postgres as Postgres,
    stepClock: (ms: number) => stepClock(server.url, ms),
    stop: async () => {
      await postgres.close()
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/**
 * The clock of the database is off by so many ms, for sessions of the module that begin after the first time: they find the
 * function of that name in their own schema before the one of Postgres.
 */
async function stepClock(url: string, ms: number): Promise<void> {
  const operator = connectPostgres({ url, applicationName: 'saga tests', max: 1 })
  const statements = [
    'CREATE TABLE IF NOT EXISTS sagas.clock_step AS SELECT 0::float8 AS ms',
    'GRANT SELECT ON sagas.clock_step TO splitstream_sagas',
    `CREATE OR REPLACE FUNCTION sagas.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
       AS 'SELECT pg_catalog.clock_timestamp() + ms * interval ''1 ms'' FROM sagas.clock_step'`,
    'ALTER ROLE splitstream_sagas IN DATABASE splitstream SET search_path = sagas, pg_catalog',
  ]
  for (const statement of statements) await operator.query(statement)
  await operator.query('UPDATE sagas.clock_step SET ms = $1', [ms])
  await operator.close()
}

/** A worker as a process has it, on a pool of its own. */
export async function startWorker(
  url: string,
  o: { name?: string; capacity?: number; tracer?: Tracer } & Partial<Pick<WorkerDeps, 'onTurn' | 'hint'>> = {},
) {
  const postgres = connectPostgres({ ...productPool, url, applicationName: 'saga worker' })
  const definitions = new Definitions(postgres)
  const plans = new Plans(definitions, () => systemClock.monotonic())
  const parts = { clock: systemClock, logger: silentLogger, metrics: noMetrics, tracer: o.tracer ?? noTracer }
  const participants = createParticipants({
    ...parts,
    breakers: createBreakers({ ...parts, kind: 'test_participants' }),
    secrets: () => [new Uint8Array(32)],
    egress: { allow: ['127.0.0.1'] },
    version: 'test',
  })
  const worker = new SagaWorker({
    ...parts,
    postgres,
    commits: postgres,
    participants,
    hint: o.hint ?? noLockHint,
    plans,
    random: systemRandom,
    name: o.name ?? 'test',
    capacity: o.capacity ?? 100,
    onTurn: o.onTurn ?? (() => undefined),
  })
  await worker.start()
  const rows = new SagaRows(postgres)
  const publish = async (name: string, definition: object): Promise<void> => {
    await definitions.publish(tenant, name, parseDefinition(name, definition), 'test')
    plans.forget(tenant, name)
  }
  const start = async (name: string, input: Json, key?: Uint8Array, from?: Origin) =>
    await worker.begin({ tenant, plan: await plans.newest(tenant, name), input, key, from })
  const look = async (id: string): Promise<WholeSagaRow & { entries: Entry[] }> => {
    const row = await rows.get(tenant, id)
    if (!row) throw new Error(`there is no saga ${id}`)
    return { ...row, entries: decodeEntries(row.journal) }
  }
  return {
    worker,
    postgres,
    publish,
    start,
    look,
    /** Until the saga has this status; the test's own timeout ends the waiting. */
    until: async (id: string, status: string): Promise<WholeSagaRow & { entries: Entry[] }> => {
      for (;;) {
        const row = await look(id)
        if (row.status === status) return row
        await systemClock.sleep(10)
      }
    },
    /** As if the saga, which is at rest, had begun so many ms earlier: it is due. */
    age: async (id: string, ms: number): Promise<void> => {
      const { journal } = await look(id)
      const older = journal.replace(/(?<="e":"start","t":0,"at":)\d+/, (at) => String(Number(at) - ms))
      const text =
        'UPDATE sagas SET journal = $2, due_at = clock_timestamp() WHERE id = $1 AND owner IS NULL RETURNING id'
      if ((await postgres.query(text, [id, older])).length === 0) throw new Error(`the saga ${id} is not at rest`)
    },
    /** As when the process is killed: nothing is given free, nothing is written any more. */
    kill: async () => {
      await postgres.close()
      await participants.close()
    },
    stop: async () => {
      await worker.stop()
      await participants.close()
      await postgres.close()
    },
  }
}
