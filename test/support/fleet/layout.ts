import { type CallPortName, type ModuleName, type Registration, registry } from '../../../src/registry.ts'
import { linkSetting } from '../../../src/topology.ts'

/** One process of a fleet. */
export interface ProcessRow {
  readonly name: string
  readonly modules: readonly ModuleName[]
  /** More settings of this process alone. */
  readonly env?: Readonly<Record<string, string>>
  /** The folder of another version, which it runs in place of this tree. */
  readonly build?: string
  /** Where it reaches Postgres, given where that is: for something that stands between. */
  readonly postgres?: (url: string) => Promise<string>
}

/** `local` needs all modules that touch the log in one process. */
export type EventsPlace = 'local' | { readonly brokers: readonly string[] }

/** A row that has its address. */
export interface PlacedRow extends ProcessRow {
  readonly url: string
  /** Where others call it, when that is over mutual TLS. */
  readonly internalUrl?: string
}

const registrationOf = (module: ModuleName): Registration => registry[module]

const provides = (row: ProcessRow, port: CallPortName): boolean =>
  row.modules.some((module) => registrationOf(module).provides.includes(port))

/** True when a row runs a module that needs the engine. */
export const needsClickHouse = (row: ProcessRow): boolean =>
  row.modules.some((module) => registrationOf(module).engines.includes('clickhouse'))

/**
 * The settings that tell a process where the others are: what it runs, how it reaches each port that no module of its own
 * provides, and where the log is. @throws Error when nobody provides a port
 */
export function placement(row: PlacedRow, all: readonly PlacedRow[], events: EventsPlace): Record<string, string> {
  const settings: Record<string, string> = { MODULES: row.modules.join(',') }
  if (row.internalUrl !== undefined) settings.INTERNAL_PORT = new URL(row.internalUrl).port
  for (const port of new Set(row.modules.flatMap((module) => registrationOf(module).requires))) {
    if (provides(row, port)) continue
    const urls = all.filter((other) => provides(other, port)).map(({ url, internalUrl }) => new URL(internalUrl ?? url))
    if (urls.length === 0) throw new Error(`no process provides ${port}, which ${row.name} needs`)
    settings[linkSetting[port]] = `${urls[0]!.protocol}//${urls.map(({ host }) => host).join(',')}`
  }
  const usesLog = row.modules.some((module) => registrationOf(module).log !== 'none')
  if (usesLog && events !== 'local') settings.LINK_EVENTS = `kafka://${events.brokers.join(',')}`
  return settings
}
