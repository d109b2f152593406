import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Installation } from './installation.ts'
import type { Part } from './place.ts'
import { runSagas } from './run.ts'

const minute = 60_000
const steps = [10 * minute, -10 * minute, 0] as const
/** A worker takes note of a step within 20 ms. */
const stepMs = 150

/** Settings with which workers have wall clocks that this process can step. */
export function shiftable(home: string): Readonly<Record<string, string>> {
  const preload = fileURLToPath(new URL('./shifted-clock.ts', import.meta.url))
  return {
    NODE_OPTIONS: `--import ${preload} --disable-warning=ExperimentalWarning`,
    CLOCK_SHIFT_FILE: shiftFile(home),
  }
}

const shiftFile = (home: string): string => join(home, 'clock-shift')

/** The wall clock of all workers steps by ten minutes, forth and back, as long as sagas are started. Nothing may come of it. */
export const runWorkerClocks: Part = async ({ home, installation }, seed, findings) => {
  const run = await runSagas(
    installation,
    { prefix: 'clock-', seed, orders: 400, character: { guard: 'keys' }, endsWithinMs: 20_000 },
    findings,
    async ({ started }) => {
      let count = 0
      let going = true
      const over = (): void => {
        going = false
      }
      void started.then(over, over)
      // How fast sagas come and go is the machine's: each step has to find some under way.
      for (; going || count % steps.length !== 0; count++) {
        await writeFile(shiftFile(home), `${steps[count % steps.length]}`)
        await delay(stepMs)
      }
      return count
    },
  )
  return { ended: run.ended, looks: run.looks, steps: run.meanwhile }
}

/**
 * The clock of the database steps by ten minutes, forth and back, under load. The module asks `clock_timestamp()` for the time,
 * so a function of that name in its schema, which its sessions find before the one of Postgres, is a clock that can be
 * stepped. Forth, every lease is over at once, and its holders do not know. Back, sagas in the memory of a worker go on by its
 * own clock; those at rest stay there until the clock of the database has caught up, and are late, but nothing goes wrong. The
 * last run of an installation: its clock stays where it is.
 */
export const runDatabaseClock: Part = async ({ installation }, seed, findings) => {
  await stepDatabase(installation, 0)
  const { ended, looks } = await runSagas(
    installation,
    {
      ...{ prefix: 'database-', seed, orders: 60, character: { guard: 'keys' as const }, endsWithinMs: 30_000 },
      // Whoever waits for a lock waits ten minutes at once.
      allowed: { anyEnd: true },
    },
    findings,
    async ({ started }) => {
      await delay(300)
      await stepDatabase(installation, 10 * minute)
      await delay(2_000)
      await stepDatabase(installation, 0)
      await started
      await delay(1_500)
      await stepDatabase(installation, 10 * minute)
    },
  )
  return { ended, looks }
}

async function stepDatabase(installation: Installation, ms: number): Promise<void> {
  const [made] = await installation.rows<{ there: boolean }>(
    `SELECT to_regclass('sagas.clock_step') IS NOT NULL AS there`,
  )
  if (!made?.there) {
    await installation.sql.query(`
      CREATE TABLE sagas.clock_step (by interval NOT NULL);
      INSERT INTO sagas.clock_step VALUES ('0');
      GRANT SELECT ON sagas.clock_step TO splitstream_sagas;
      CREATE FUNCTION sagas.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
        AS 'SELECT pg_catalog.clock_timestamp() + by FROM sagas.clock_step';
      ALTER ROLE splitstream_sagas IN DATABASE splitstream SET search_path = sagas, pg_catalog;
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'splitstream_sagas'`)
    // Its sessions were ended, so that new ones find the function.
    await delay(1_500)
  }
  await installation.sql.query(`UPDATE sagas.clock_step SET by = $1::float8 * interval '1 ms'`, [ms])
}
