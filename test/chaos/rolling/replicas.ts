import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type ModuleName, moduleNames } from '../../../src/registry.ts'
import { type PlacedRow, placement } from '../../support/fleet/layout.ts'
import { FleetProcess } from '../../support/fleet/process.ts'
import { freePorts } from '../../support/kafka/ports.ts'
import { type Gateway, startGateway } from './gateway.ts'
import { commonSettings, type Installation, type Replaceable, type SlotOptions } from './slots.ts'

/** Between the readiness of one process and the stop of the next, ms: `minReadySeconds` in deploy/kubernetes/split. */
const settleMs = 1_000 * Number(/minReadySeconds: (\d+)/.exec(deployed('kubernetes/split/module.yaml'))?.[1] ?? 0)
const drainSeconds = /DRAIN_SECONDS: "(\d+)"/.exec(deployed('split/docker-compose.yml'))![1]!

function deployed(file: string): string {
  return readFileSync(fileURLToPath(new URL(`../../../deploy/${file}`, import.meta.url)), 'utf8')
}

/**
 * One container of a module: its process ends before the next one starts, which has another address. As in Kubernetes, the name of
 * the module leads to those that are ready and are not asked to stop.
 */
class Container implements Replaceable {
  readonly name: string
  readonly #module: ModuleName
  readonly #gateway: Gateway
  readonly #processes: readonly [FleetProcess, FleetProcess]
  #current = 0

  constructor(name: string, module: ModuleName, gateway: Gateway, processes: readonly [FleetProcess, FleetProcess]) {
    this.name = name
    this.#module = module
    this.#gateway = gateway
    this.#processes = processes
  }

  get url(): string {
    return this.#processes[this.#current]!.url
  }

  async start(): Promise<void> {
    const process = this.#processes[this.#current]!
    await process.start()
    this.#gateway.names.add(this.#module, new URL(process.url).hostname)
  }

  async replace(): Promise<number> {
    const from = performance.now()
    const old = this.#processes[this.#current]!
    this.#gateway.names.remove(this.#module, new URL(old.url).hostname)
    const code = await old.stop()
    if (code !== 0) throw new Error(`${old.name} was asked to stop and ended with ${code}`)
    this.#current = 1 - this.#current
    await this.start()
    const ms = performance.now() - from
    await delay(settleMs)
    return ms
  }

  async end(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.end()))
  }

  output(): string {
    return this.#processes.map((process) => process.output()).join('\n')
  }
}

/** Two containers of each module, and the gateway before them: all that clients know. */
export async function makeReplicas(o: SlotOptions): Promise<Installation> {
  const [port] = await freePorts(1)
  // An address for each container and each of its lives: loopback is a network of its own on Linux.
  const rows = moduleNames.flatMap((module, m) =>
    [1, 2, 3, 4].map(
      (n): PlacedRow => ({ name: `${module}-${n}`, modules: [module], url: `http://127.0.${m + 1}.${n}:${port}` }),
    ),
  )
  const common = { ...commonSettings(o), DRAIN_SECONDS: drainSeconds }
  const processOf = (row: PlacedRow): FleetProcess => {
    const env = { ...common, HOST: new URL(row.url).hostname, ...placement(row, rows, { brokers: o.brokers }) }
    const options = { dataDir: join(o.dir, row.name), env, readyTimeoutMs: 60_000, guardian: o.guardian }
    return new FleetProcess(row, options)
  }
  const gateway = await startGateway(port!, o.guardian)
  // Those of a module one after the other, as it is rolled out.
  const slots = moduleNames.flatMap((module, m) =>
    [0, 1].map((n) => {
      const [a, b] = rows.slice(4 * m + 2 * n)
      return new Container(`${module}-${n}`, module, gateway, [processOf(a!), processOf(b!)])
    }),
  )
  const { url } = gateway
  return {
    urls: { ingest: url, query: url, sagas: url },
    slots,
    open: () => gateway.untilServing(moduleNames, 2),
    close: () => gateway.stop(),
  }
}
