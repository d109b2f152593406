import { setTimeout as delay } from 'node:timers/promises'
import { Random } from '../random.ts'
import type { Part } from './place.ts'
import { runSagas } from './run.ts'

/** Every worker is asked to stop, and started again, one after another, as in a deployment. Nothing is lost, nothing waits. */
export const runRollingRestart: Part = async ({ installation }, seed, findings) => {
  const { ended, looks, meanwhile } = await runSagas(
    installation,
    { prefix: 'rolling-', seed, orders: 200, clients: 4, character: { guard: 'keys' }, endsWithinMs: 15_000 },
    findings,
    async () => {
      const stopMs: number[] = []
      for (const { process } of installation.workers) {
        await delay(200)
        const began = performance.now()
        const code = await process.stop()
        stopMs.push(Math.round(performance.now() - began))
        if (code !== 0) findings.add('did not stop cleanly', `${process.name}: ${code}`)
        await process.start()
      }
      return { stopMs }
    },
  )
  return { ...meanwhile, ended, looks }
}

const cutEveryMs = 150
const cutForMs = 4_000

/** Connections of workers to Postgres are cut again and again: whether a commit was written has to be found out each time. */
export const runConnectionsCut: Part = async ({ installation }, seed, findings) => {
  const random = new Random(seed)
  let cut = 0
  const { ended, looks } = await runSagas(
    installation,
    { prefix: `cut-${seed}-`, seed, orders: 200, character: { guard: 'keys' }, endsWithinMs: 30_000 },
    findings,
    async () => {
      for (const end = performance.now() + cutForMs; performance.now() < end; await delay(cutEveryMs)) {
        const gone = await installation.rows(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE usename = 'splitstream_sagas' AND hashtext(pid::text || $1) % 3 = 0`,
          [`${random.fraction()}`],
        )
        cut += gone.length
      }
    },
  )
  if (cut === 0) findings.add('nothing was cut', '')
  return { cut, ended, looks }
}
