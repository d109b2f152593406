import { type Config, ConfigError } from './config.ts'
import { type CallPortName, type ModuleName, type Registration, registry } from './registry.ts'

/** How a port is reached from this process. */
export type Link = { readonly kind: 'local' }

export interface Topology {
  readonly modules: readonly ModuleName[]
  /** For each call port that a module here requires. */
  readonly links: ReadonlyMap<CallPortName, Link>
}

export const linkSetting = {
  'ingest.append': 'LINK_INGEST_APPEND',
  'storage.read': 'LINK_STORAGE_READ',
} as const satisfies Record<CallPortName, keyof Config>

/**
 * Who runs here and how each required port is reached. With bind.ts the only place that knows placement.
 * @throws ConfigError naming the variable to set when a required port has no provider.
 */
export function planTopology(config: Config): Topology {
  const rows = config.MODULES.map((name): Registration => registry[name])
  const provided = new Set(rows.flatMap((row) => row.provides))
  const links = new Map<CallPortName, Link>()
  for (const port of new Set(rows.flatMap((row) => row.requires))) {
    if (!provided.has(port)) {
      throw new ConfigError(
        `MODULES=${config.MODULES.join(',')} needs the port ${port}, which no module of this process provides: ` +
          `add its module to MODULES (${linkSetting[port]} takes only "local" in this version)`,
      )
    }
    links.set(port, { kind: config[linkSetting[port]] })
  }
  return { modules: config.MODULES, links }
}
