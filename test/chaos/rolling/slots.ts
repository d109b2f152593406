import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { ModuleName } from '../../../src/registry.ts'
import type { SharedEngines } from '../../support/fleet/engines.ts'
import { type PlacedRow, placement } from '../../support/fleet/layout.ts'
import { FleetProcess } from '../../support/fleet/process.ts'
import type { Guardian } from '../../support/kafka/guardian.ts'
import { freePorts } from '../../support/kafka/ports.ts'
import { connectionsHandedOver } from '../handed-over.ts'
import { listening } from '../listening.ts'

/** Something whose process can be replaced by a fresh one. */
export interface Replaceable {
  readonly name: string
  /** Of the process that is in it now. */
  readonly url: string
  start(): Promise<void>
  /** @returns how long it took, ms. @throws Error when a process does not come up, or does not end as one that was asked to */
  replace(): Promise<number>
  end(): Promise<void>
  output(): string
}

/** An installation whose processes are replaced under load, and where its clients go. */
export interface Installation {
  readonly urls: { readonly ingest: string; readonly query: string; readonly sagas: string }
  readonly slots: readonly Replaceable[]
  /** Once the slots have started. */
  open(): Promise<void>
  /** After the end of the slots. */
  close(): Promise<void>
}

/**
 * One place of an installation, with a port that clients and other processes know. Its process is replaced by starting the
 * next one on the same port and then stopping the old one, as an orchestrator does it.
 */
export class Slot implements Replaceable {
  readonly name: ModuleName
  readonly url: string
  readonly #processes: readonly [FleetProcess, FleetProcess]
  #current = 0

  constructor(name: ModuleName, url: string, processes: readonly [FleetProcess, FleetProcess]) {
    this.name = name
    this.url = url
    this.#processes = processes
  }

  async start(): Promise<void> {
    await this.#processes[0].start()
  }

  async replace(): Promise<number> {
    const from = performance.now()
    const old = this.#processes[this.#current]!
    this.#current = 1 - this.#current
    await listening(this.#processes[this.#current]!)
    const code = await old.stop()
    if (code !== 0) throw new Error(`${old.name} was asked to stop and ended with ${code}`)
    return performance.now() - from
  }

  async end(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.end()))
  }

  output(): string {
    return this.#processes.map((process) => process.output()).join('\n')
  }
}

export interface SlotOptions {
  readonly dir: string
  readonly brokers: readonly string[]
  readonly engines: SharedEngines
  readonly adminKey: string
  readonly guardian: Guardian
}

/** What every process is given. */
export const commonSettings = (o: SlotOptions): Record<string, string> => ({
  LOG_LEVEL: 'info',
  ADMIN_KEY: o.adminKey,
  INTERNAL_SECRET: randomBytes(24).toString('hex'),
  POSTGRES_URL: o.engines.postgresUrl,
  CLICKHOUSE_URL: o.engines.clickhouseUrl!,
  KAFKA_TOPIC: `rolling-${randomUUID()}`,
  SAGA_ALLOW_PRIVATE: '127.0.0.1',
  MIN_FREE_BYTES: '0',
})

/** Each module in a process of its own, all on one machine; the next process listens beside the one before. */
export async function makeSlots(o: SlotOptions): Promise<Installation> {
  const modules = ['ingest', 'storage', 'query', 'sagas'] as const
  const ports = await freePorts(modules.length)
  const rows = modules.map((name, i): PlacedRow => ({ name, modules: [name], url: `http://127.0.0.1:${ports[i]}` }))
  const env = { ...commonSettings(o), SHARE_PORT: 'true', DRAIN_SECONDS: '3' }
  const slotOf = (row: PlacedRow): Slot => {
    const process = (which: string): FleetProcess =>
      new FleetProcess(
        { ...row, name: `${row.name}-${which}` },
        {
          dataDir: join(o.dir, `${row.name}-${which}`),
          env: { ...env, ...placement(row, rows, { brokers: o.brokers }) },
          readyTimeoutMs: 60_000,
          guardian: o.guardian,
        },
      )
    return new Slot(row.modules[0]!, row.url, [process('a'), process('b')])
  }
  const slots = rows.map(slotOf)
  const [ingest, , query, sagas] = slots.map(({ url }) => url)
  const handedOver = await connectionsHandedOver()
  return {
    urls: { ingest: ingest!, query: query!, sagas: sagas! },
    slots,
    open: async () => undefined,
    close: async () => await handedOver[Symbol.asyncDispose](),
  }
}
