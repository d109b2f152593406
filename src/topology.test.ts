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
  ['query', ['list', 'aggregate', 'awaitStored']],
  ['ingest,query', ['awaitStored', 'list', 'aggregate']],
])('what %s calls of storage.read', (MODULES, methods) => {
  expect(planTopology(loadConfig({ MODULES, ...apart })).calls.get('storage.read')).toEqual(methods)
})

const files = { INTERNAL_TLS_CERT: 'cert', INTERNAL_TLS_KEY: 'key', INTERNAL_TLS_CA: 'ca' }

it('serves those who show a secret or a certificate, and nobody else', () => {
  const served = (more: Record<string, string>) =>
    planTopology(loadConfig({ POSTGRES_URL: apart.POSTGRES_URL, ...more })).served
  expect(served({})).toEqual([])
  for (const more of [files, { INTERNAL_SECRET: apart.INTERNAL_SECRET }]) {
    expect(served(more)).toEqual(['ingest.append', 'storage.read'])
  }
})

it.each([
  ['https://127.0.0.1:1', files, undefined],
  ['dns+https://storage:1', files, undefined],
  ['consul://storage', files, undefined],
  ['consul://storage', {}, 'set INTERNAL_SECRET to the same value in all of them, or INTERNAL_TLS_CERT'],
  ['http://127.0.0.1:1', files, 'write https:// in place of http:// there, or set INTERNAL_SECRET'],
  ['dns+https://storage:1', { INTERNAL_SECRET: apart.INTERNAL_SECRET }, 'set INTERNAL_TLS_CERT'],
])('what %s needs', (LINK_STORAGE_READ, more, says) => {
  const { POSTGRES_URL } = apart
  const plan = () => planTopology(loadConfig({ MODULES: 'query', POSTGRES_URL, LINK_STORAGE_READ, ...more }))
  if (says === undefined) expect(plan).not.toThrow()
  else expect(plan).toThrow(says)
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
