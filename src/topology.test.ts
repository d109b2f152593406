import { expect, it } from 'vitest'
import { loadConfig } from './config.ts'
import { planTopology } from './topology.ts'

const apart = {
  INTERNAL_SECRET: 'x'.repeat(32),
  POSTGRES_URL: 'postgres://127.0.0.1/none',
  LINK_EVENTS: 'kafka://127.0.0.1:1',
  LINK_STORAGE_READ: 'http://127.0.0.1:1',
}

it.each([
  ['ingest', ['awaitStored']],
  ['query', undefined],
  ['ingest,query', undefined],
])('what %s calls of storage.read', (MODULES, methods) => {
  expect(planTopology(loadConfig({ MODULES, ...apart })).calls.get('storage.read')).toEqual(methods)
})
