import type { Module } from '@splitstream/kernel'
import type { StorageRead } from '@splitstream/storage/contract'
import { queryRoutes } from './adapters/http-routes.ts'
import { Cursors } from './domain/cursor.ts'

export interface QueryDeps {
  readonly storage: StorageRead
  /** Signs cursors; the same in all processes. */
  readonly cursorSecret: Uint8Array
}

/** The query module: REST questions → typed questions to storage.read. It owns no data. */
export function createQueryModule(deps: QueryDeps): Module {
  return {
    ports: {},
    routes: queryRoutes(deps.storage, new Cursors(deps.cursorSecret)),
    start: async () => undefined,
    stop: async () => undefined,
    health: () => ({ state: 'ok' }),
  }
}
