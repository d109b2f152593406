import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { signal } from '../chaos/processes.ts'
import { patienceMs, type Rig, startRig, watchFor } from './wedges.fixture.ts'

/** Postgres on a machine whose clock can be moved: what it says by `clock_timestamp()` to whom asks how it is. */
let rig: Rig

beforeAll(async () => {
  rig = await startRig()
  await movePostgres(0)
  // In front of its own, which is first unless it is named; for connections from now on.
  await rig.postgres('ALTER ROLE splitstream_edge IN DATABASE splitstream SET search_path = edge, pg_catalog')
  await rig.postgres(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'splitstream health'`,
  )
}, patienceMs)

afterAll(() => rig?.stop(), patienceMs)

const movePostgres = (seconds: number) =>
  rig.postgres(`CREATE OR REPLACE FUNCTION edge.clock_timestamp() RETURNS timestamptz LANGUAGE sql
    AS $$ SELECT pg_catalog.clock_timestamp() + make_interval(secs => ${seconds}) $$`)

interface Part {
  readonly state: string
  readonly reason?: string
}

async function processPart(): Promise<Part> {
  const answer = await fetch(`${rig.url}/health`)
  return ((await answer.json()) as { parts: Record<string, Part> }).parts.process!
}

describe('a wrong clock of Postgres takes no process out of service', { timeout: patienceMs }, () => {
  it.each([3_600, -120])('when it moves by %i s: ClickHouse’s says whose is wrong', async (seconds) => {
    await movePostgres(seconds)
    try {
      const red = watchFor(rig.url, 12_000)
      await vi.waitUntil(async () => (await processPart()).state === 'degraded', 10_000)
      expect((await processPart()).reason).toMatch(
        /^the clock is \d+ s (behind|ahead of) that of Postgres, which is wrong/,
      )
      expect(await red).toEqual([])
    } finally {
      await movePostgres(0)
    }
    await vi.waitUntil(async () => (await processPart()).state === 'ok', 10_000)
  })

  it('nor when Postgres then stands still', async () => {
    await movePostgres(3_600)
    const pids = rig.postgresPids()
    try {
      await vi.waitUntil(async () => (await processPart()).state === 'degraded', 10_000)
      for (const pid of pids) signal(pid, 'SIGSTOP')
      expect(await watchFor(rig.url, 12_000)).toEqual([])
    } finally {
      for (const pid of pids) signal(pid, 'SIGCONT')
      await movePostgres(0)
    }
    await vi.waitUntil(async () => (await processPart()).state === 'ok', 30_000)
  })
})
