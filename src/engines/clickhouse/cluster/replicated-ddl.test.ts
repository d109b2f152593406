import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { replicated } from './replicated-ddl.ts'

const migration = fileURLToPath(new URL('../../../../migrations/clickhouse/storage/0001_events.sql', import.meta.url))
const engine = "ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')"
const window = 'replicated_deduplication_window = 10000'

it('makes a replicated table of the events, and remembers tokens in Keeper', () => {
  const sql = replicated(readFileSync(migration, 'utf8').replace(/^--.*$/gm, ''))
  expect(sql).toContain(engine)
  expect(sql).toContain(window)
  expect(sql).toContain('fsync_after_insert = 1')
  expect(sql).not.toContain('non_replicated')
})

it('puts the window in where there is none, and leaves other statements alone', () => {
  expect(replicated('CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a')).toMatch(
    /ReplicatedMergeTree\(.*ORDER BY a\nSETTINGS replicated_deduplication_window = /s,
  )
  expect(replicated('CREATE TABLE t (a Int8) ENGINE = MergeTree() ORDER BY a SETTINGS x = 1')).toMatch(
    /'\{replica\}'\) ORDER BY a SETTINGS replicated_deduplication_window = .*, x = 1$/s,
  )
  expect(replicated('ALTER TABLE t ADD COLUMN IF NOT EXISTS b String')).toBe(
    'ALTER TABLE t ADD COLUMN IF NOT EXISTS b String',
  )
})

it('refuses an engine that it does not know', () => {
  expect(() => replicated('CREATE TABLE t (a Int8) ENGINE = Log')).toThrow(/engine Log/)
  expect(() => replicated('CREATE TABLE t AS u')).toThrow(/engine \(none\)/)
})
