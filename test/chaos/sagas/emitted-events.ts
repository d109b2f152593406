import type { Findings } from '../findings.ts'
import { signal } from '../processes.ts'
import { Emitted } from './emitted.ts'
import { type Installation, until, type Worker } from './installation.ts'
import type { Part } from './place.ts'
import { runSagas } from './run.ts'
import type { SagaRows } from './saga-rows.ts'

const kills = 3
/** How long until a worker brings events to ingest, and until it has brought all, ms: after an outage it pauses for a while. */
const [shipsWithinMs, shippedWithinMs] = [20_000, 30_000]
const removal = /^DELETE FROM outbox WHERE/

/** Sagas that emit one event each, at their end. */
const all = { kind: 'family', courier: 'post', orders: 60, character: { guard: 'keys' }, endsWithinMs: 30_000 } as const

/**
 * The worker that brings events to ingest is killed when it has removed some from the outbox and has not heard of that: each is
 * stored all the same, once.
 */
const runWorkersKilled: Part = async ({ installation }, seed, findings) => {
  const prefix = `emitted-killed-${seed}-`
  const { ended, meanwhile } = await runSagas(installation, { ...all, prefix, seed }, findings, async ({ rows }) => {
    await killAtRemovals(installation, findings)
    return rows
  })
  return { ended, ...(await verify(installation, prefix, meanwhile, findings)) }
}

/** Kills whoever removes events from the outbox, when Postgres has done so, and then whoever removes them next. */
async function killAtRemovals(installation: Installation, findings: Findings): Promise<void> {
  const struck: { readonly worker: Worker; readonly pid: number }[] = []
  for (const worker of installation.workers) {
    const after = async (): Promise<boolean> => {
      const { pid } = worker.process
      if (pid === undefined || struck.length === kills) return true
      signal(pid, 'SIGKILL')
      struck.push({ worker, pid })
      return false
    }
    worker.proxy.intercept = (sql) => (removal.test(sql) ? { after } : undefined)
  }
  for (let n = 0; n < kills; n++) {
    await until(() => struck.length > n, shipsWithinMs)
    const one = struck[n]
    if (!one) {
      findings.add('nothing was killed', `at removal ${n + 1} from the outbox`)
      break
    }
    await one.worker.process.kill()
    await installation.expireLease(one.pid)
    installation.restart(one.worker)
  }
  for (const { proxy } of installation.workers) proxy.intercept = undefined
}

/** The process that takes events is killed while sagas emit them: no saga waits for that, and each event is stored once. */
const runIngestAway: Part = async ({ installation }, seed, findings) => {
  const prefix = `emitted-away-${seed}-`
  const events = installation.fleet.process('events')
  const { ended, meanwhile } = await runSagas(installation, { ...all, prefix, seed }, findings, async (run) => {
    const { rows, started } = run
    await until(async () => (await completed(rows)) >= 5, shipsWithinMs)
    await events.kill()
    await started
    await until(async () => (await rows.open()) === 0, all.endsWithinMs)
    if ((await outboxSize(installation)) === 0) findings.add('nothing waited for ingest', 'while it was away')
    await dropIdle(installation)
    await events.start()
    await until(async () => (await outboxSize(installation)) === 0, shippedWithinMs)
    return rows
  })
  return { ended, ...(await verify(installation, prefix, meanwhile, findings)) }
}

export const emittedParts: Readonly<Record<string, Part>> = {
  'emitted, workers killed': runWorkersKilled,
  'emitted, ingest away': runIngestAway,
}

async function verify(installation: Installation, prefix: string, rows: SagaRows, findings: Findings) {
  const emitted = new Emitted(prefix)
  await emitted.note(rows)
  return await emitted.verify(installation, findings)
}

const completed = async (rows: SagaRows): Promise<number> =>
  (await rows.all()).filter(({ status }) => status === 'completed').length

async function outboxSize(installation: Installation): Promise<number> {
  const [row] = await installation.rows<{ n: number }>('SELECT count(*)::integer AS n FROM sagas.outbox')
  return row!.n
}

/** The embedded Postgres has few connections, and workers took those of the dead process meanwhile: they keep them for a while. */
async function dropIdle(installation: Installation): Promise<void> {
  await installation.rows(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'splitstream_sagas' AND state = 'idle'`,
  )
}
