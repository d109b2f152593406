/**
 * The product on one screen: which modules there are, what each provides and requires, and where its code is (loaded only
 * in the processes that run it). Call ports join modules; `events` is the log; engines are the servers it keeps its data in.
 */
export const moduleNames = ['ingest', 'storage', 'query'] as const
export type ModuleName = (typeof moduleNames)[number]
export type CallPortName = 'ingest.append' | 'storage.read'
export type EngineName = 'clickhouse' | 'postgres'

export interface Registration {
  readonly provides: readonly CallPortName[]
  readonly requires: readonly CallPortName[]
  readonly log: 'append' | 'consume' | 'none'
  readonly engines: readonly EngineName[]
}

export const registry = {
  ingest: { provides: ['ingest.append'], requires: ['storage.read'], log: 'append', engines: [] },
  storage: {
    provides: ['storage.read'],
    requires: ['ingest.append'],
    log: 'consume',
    engines: ['clickhouse', 'postgres'],
  },
  query: { provides: [], requires: ['storage.read'], log: 'none', engines: [] },
} as const satisfies Record<ModuleName, Registration>

/** Lazy, so that a process never loads the code of a module that it does not run. */
export const load = {
  ingest: async () => (await import('../modules/ingest/module.ts')).createIngestModule,
  storage: async () => (await import('../modules/storage/module.ts')).createStorageModule,
  query: async () => (await import('../modules/query/module.ts')).createQueryModule,
} as const satisfies Record<ModuleName, () => Promise<unknown>>
