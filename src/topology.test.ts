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

it.each([
  ['ingest', 'stores'],
  ['ingest,query', 'stores'],
  ['ingest,sagas', 'stores'],
  ['storage,query', 'ingests'],
  ['storage,sagas', 'ingests'],
  ['sagas', 'ingests'],
])('a local log is no log for %s alone', (MODULES, what) => {
  const config = loadConfig({ MODULES, ...apart, LINK_INGEST_APPEND: 'http://127.0.0.1:1', LINK_EVENTS: 'local' })
  expect(() => planTopology(config)).toThrow(`the module that ${what} events runs in another process`)
})

it.each(['ingest,storage', 'ingest,storage,query', 'ingest,storage,sagas', 'query'])(
  '%s do with a local log',
  (MODULES) => {
    const config = loadConfig({ MODULES, ...apart, LINK_EVENTS: 'local' })
    expect(() => planTopology(config)).not.toThrow()
  },
)
