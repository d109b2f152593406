import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { settings } from '../../src/config.ts'
import type { ModuleName } from '../../src/registry.ts'
import type { TlsFiles } from '../../src/transports/http/tls/credentials.ts'
import { type SharedEngines, startEngines } from './fleet/engines.ts'
import { type EventsPlace, needsClickHouse, type PlacedRow, type ProcessRow, placement } from './fleet/layout.ts'
import { FleetProcess } from './fleet/process.ts'
import { guardFolder } from './kafka/guardian.ts'
import { freePorts } from './kafka/ports.ts'

export type { EventsPlace, ProcessRow } from './fleet/layout.ts'
export type { FleetProcess } from './fleet/process.ts'

export interface FleetOptions {
  readonly processes: readonly ProcessRow[]
  readonly events: EventsPlace
  /** More settings of all processes; a row's own win. */
  readonly env?: Readonly<Record<string, string>>
  /** The processes call each other over mutual TLS with these files, valid for 127.0.0.1, and without a secret. */
  readonly tls?: TlsFiles
  /** One ClickHouse outside of all processes, also when a single one runs storage. Always so when several do. */
  readonly sharedClickHouse?: boolean
  /** How long a process may take to get ready, ms; default 60,000. */
  readonly readyTimeoutMs?: number
}

/** One installation as several processes on this machine, of which each knows its part by its environment alone. */
export interface Fleet extends AsyncDisposable {
  /** Of all processes. */
  readonly adminKey: string
  readonly processes: readonly FleetProcess[]
  /** On Kafka; an external cluster keeps it. */
  readonly topic: string
  readonly postgresUrl: string
  /** Of the shared one. */
  readonly clickhouseUrl: string | undefined
  /** @throws Error when there is none of that name */
  process(name: string): FleetProcess
  /** Which process serves the public routes of a module (the first of several). API keys are served by all. */
  urlFor(module: ModuleName): string
  urlsFor(module: ModuleName): readonly string[]
  /** What the processes wrote, all lives. */
  output(): string
  /** Ends the processes, then the engines, and removes all data. Safe to call twice. */
  stop(): Promise<void>
}

/**
 * Starts shared engines and one process for each row, and waits until all are ready. Everything ends with this process,
 * however it ends. @throws Error with the output of a process that does not get ready; nothing is left running then
 */
export async function startFleet(o: FleetOptions): Promise<Fleet> {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-fleet-'))
  const guardian = guardFolder(dir)
  const processes: FleetProcess[] = []
  let engines: SharedEngines | undefined
  let ending: Promise<void> | undefined
  const end = async (): Promise<void> => {
    await Promise.all(processes.map((process) => process.end()))
    await engines?.stop()
    await rm(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
    guardian.dismiss()
  }
  const stop = (): Promise<void> => {
    ending ??= end()
    return ending
  }
  try {
    const rows = await placed(o)
    engines = await startEngines(dir, {
      clickhouse: o.sharedClickHouse === true || rows.filter(needsClickHouse).length > 1,
    })
    const common = commonSettings(engines, o)
    for (const row of rows) {
      const clickhouse = (needsClickHouse(row) && engines.clickhouseUrl) || '' // empty: it embeds its own
      const postgres = row.postgres && { POSTGRES_URL: await row.postgres(engines.postgresUrl) }
      const env = { ...common, CLICKHOUSE_URL: clickhouse, ...postgres, ...placement(row, rows, o.events), ...row.env }
      const readyTimeoutMs = o.readyTimeoutMs ?? 60_000
      processes.push(new FleetProcess(row, { dataDir: join(dir, row.name), env, readyTimeoutMs, guardian }))
    }
    // What is of an earlier version was there before.
    const [earlier, present] = [true, false].map((early) => processes.filter((_, i) => !!rows[i]!.build === early))
    await startAll(earlier!)
    await startAll(present!)
    return fleetOf(processes, engines, common, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

/** @throws Error of the first that does not get ready, when all have ended their start */
async function startAll(processes: readonly FleetProcess[]): Promise<void> {
  const starts = await Promise.allSettled(processes.map((process) => process.start()))
  const failed = starts.find((start) => start.status === 'rejected')
  if (failed) throw failed.reason
}

/** All ports are picked before any start: links point both ways. */
async function placed({ processes, tls }: FleetOptions): Promise<PlacedRow[]> {
  const ports = await freePorts(2 * processes.length)
  return processes.map((row, i) => ({
    ...row,
    url: `http://127.0.0.1:${ports[2 * i]}`,
    ...(tls && { internalUrl: `https://127.0.0.1:${ports[2 * i + 1]}` }),
  }))
}

/** What this process's own environment may hold is left out: an empty value counts as not set. */
const nothing = Object.fromEntries(Object.keys(settings.shape).map((name) => [name, '']))

function commonSettings(engines: SharedEngines, { env, tls }: FleetOptions) {
  return {
    ...nothing,
    LOG_LEVEL: 'info',
    ADMIN_KEY: randomBytes(24).toString('hex'),
    ...(tls
      ? { INTERNAL_TLS_CERT: tls.cert, INTERNAL_TLS_KEY: tls.key, INTERNAL_TLS_CA: tls.ca }
      : { INTERNAL_SECRET: randomBytes(24).toString('hex') }),
    POSTGRES_URL: engines.postgresUrl,
    KAFKA_TOPIC: `splitstream-fleet-${randomUUID()}`,
    ...env,
  }
}

function fleetOf(
  processes: readonly FleetProcess[],
  engines: SharedEngines,
  common: ReturnType<typeof commonSettings>,
  stop: () => Promise<void>,
): Fleet {
  const urlsFor = (module: ModuleName): string[] =>
    processes.filter(({ modules }) => modules.includes(module)).map(({ url }) => url)
  const found = <T>(one: T | undefined, what: string): T => {
    if (one === undefined) throw new Error(`the fleet has no ${what}`)
    return one
  }
  return {
    processes,
    adminKey: common.ADMIN_KEY,
    topic: common.KAFKA_TOPIC,
    postgresUrl: engines.postgresUrl,
    clickhouseUrl: engines.clickhouseUrl,
    process: (name) =>
      found(
        processes.find((process) => process.name === name),
        `process ${name}`,
      ),
    urlFor: (module) => found(urlsFor(module)[0], `process with the module ${module}`),
    urlsFor,
    output: () => processes.map((process) => process.output()).join('\n'),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
