import type { IngestAppend } from '@splitstream/ingest/contract'
import type { Operations } from '@splitstream/kernel'
import type { StorageRead } from '@splitstream/storage/contract'

/**
 * The product on one screen: which modules there are, what each provides and requires, and where its code is (loaded only
 * in the processes that run it). Call ports join modules; `events` is the log; engines are the servers it keeps its data in.
 */
export const moduleNames = ['ingest', 'storage', 'query', 'sagas'] as const
export type ModuleName = (typeof moduleNames)[number]
export interface CallPorts {
  'ingest.append': IngestAppend
  'storage.read': StorageRead
}
export type CallPortName = keyof CallPorts
export type EngineName = 'clickhouse' | 'postgres'
/** A server that is used where it is configured, and that nobody needs. */
export type OptionalServer = 'redis'

export interface Registration {
  readonly provides: readonly CallPortName[]
  readonly requires: readonly CallPortName[]
  /** What of a required port is called, when that is not all of it: an older process that lacks the rest is good enough. */
  readonly calls?: { readonly [P in CallPortName]?: readonly (keyof CallPorts[P])[] }
  readonly log: 'append' | 'consume' | 'none'
  readonly engines: readonly EngineName[]
  readonly optional?: readonly OptionalServer[]
}

export const registry = {
  ingest: {
    provides: ['ingest.append'],
    requires: ['storage.read'],
    calls: { 'storage.read': ['awaitStored'] },
    log: 'append',
    engines: [],
  },
  storage: {
    provides: ['storage.read'],
    requires: ['ingest.append'],
    log: 'consume',
    engines: ['clickhouse', 'postgres'],
  },
  query: {
    provides: [],
    requires: ['storage.read'],
    // Without `follow` there is no live tail, and all the rest works.
    calls: { 'storage.read': ['list', 'aggregate', 'awaitStored'] },
    log: 'none',
    engines: [],
  },
  sagas: { provides: [], requires: ['ingest.append'], log: 'consume', engines: ['postgres'], optional: ['redis'] },
} as const satisfies Record<ModuleName, Registration>

/** Lazy, so that a process never loads the code of a module that it does not run. */
export const load = {
  ingest: async () => (await import('../modules/ingest/module.ts')).createIngestModule,
  storage: async () => (await import('../modules/storage/module.ts')).createStorageModule,
  query: async () => (await import('../modules/query/module.ts')).createQueryModule,
  sagas: async () => (await import('../modules/sagas/module.ts')).createSagasModule,
} as const satisfies Record<ModuleName, () => Promise<unknown>>

/** What each offers over public HTTP: for the OpenAPI document, which is about all of them. */
export const describe = {
  ingest: async () => (await import('../modules/ingest/module.ts')).operations,
  storage: async () => (await import('../modules/storage/module.ts')).operations,
  query: async () => (await import('../modules/query/module.ts')).operations,
  sagas: async () => (await import('../modules/sagas/module.ts')).operations,
} as const satisfies Record<ModuleName, () => Promise<Operations>>
