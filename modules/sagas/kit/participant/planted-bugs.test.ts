import type { PostgresTx } from '@splitstream/kernel'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { runConformance } from '../conformance/index.ts'
import { bugs } from './bugs.fixture.ts'
import { startCounting } from './counting.fixture.ts'
import { type ParticipantDatabase, startPostgres } from './databases.fixture.ts'
import { plantBugs } from './planted.fixture.ts'

// initdb fsyncs a thousand files: on a busy disk that takes seconds.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let database: ParticipantDatabase<PostgresTx>

beforeAll(async () => {
  database = await startPostgres()
})

afterAll(async () => await database.close())

describe('the conformance test', () => {
  it('passes the kit as it is', async () => {
    const { options, close } = await startCounting(database.sql)
    const results = await runConformance(options)
    close()
    expect(results.map(({ detail }) => detail).filter(Boolean)).toEqual([])
    expect(results).toHaveLength(12)
  })

  it.each(bugs.filter(({ seen }) => seen.length > 0))('sees that $name', async ({ edits, seen }) => {
    const { options, close } = await startCounting(database.sql, await plantBugs(edits))
    const results = await runConformance({ ...options, cases: seen })
    close()
    expect(results.filter(({ passed }) => passed).map(({ name }) => name)).toEqual([])
  })

  it('has no case that was not seen to fail', async () => {
    const { options, close } = await startCounting(database.sql)
    close()
    const all = await runConformance({ ...options, timeoutMs: 100, observe: () => Promise.reject(new Error('gone')) })
    expect(new Set(bugs.flatMap(({ seen }) => seen))).toEqual(new Set(all.map(({ name }) => name)))
  })
})
