import { setTimeout as delay } from 'node:timers/promises'
import { signal } from '../processes.ts'
import { until } from './installation.ts'
import { forward } from './ledger/operations.ts'
import type { Part } from './place.ts'
import { runSagas } from './run.ts'

const inFlight = 1_000
const boundMs = 5_000

/**
 * kill -9 of one of three workers while a thousand sagas are in flight. Measured from outside: until Postgres has another
 * owner for each of its sagas, and until each call that was on its way arrives again, from that owner.
 */
export const runTakeover: Part = async ({ installation }, seed, findings) => {
  const [victim] = installation.alive
  const prefix = 'slow-'
  const { ended, looks, meanwhile } = await runSagas(
    installation,
    {
      ...{ prefix, seed, orders: inFlight, kind: 'slow', courier: 'post', clients: 24, endsWithinMs: 60_000 },
      character: { guard: 'keys' },
      rules: [{ operations: forward, share: 1, fault: { kind: 'slow', ms: 800 } }],
    },
    findings,
    async ({ rows, started }) => {
      await started
      const { pid } = victim!.process
      const [worker] = await installation.rows<{ id: number }>('SELECT id FROM sagas.workers WHERE name LIKE $1', [
        `%:${pid}`,
      ])
      const open = await rows.open()
      const before = new Map((await rows.all()).map(({ id, owner, fence }) => [id, { owner, fence: Number(fence) }]))
      signal(pid!, 'SIGKILL')
      const killed = performance.now()
      const orphans = [...before].flatMap(([id, { owner }]) => (owner === worker?.id ? [id] : []))
      const taken = await until(async () => {
        const left = await installation.rows(
          'SELECT FROM sagas.sagas WHERE id = ANY($1::uuid[]) AND owner = $2 LIMIT 1',
          [orphans, worker?.id],
        )
        const free = await installation.rows(
          'SELECT FROM sagas.sagas WHERE id = ANY($1::uuid[]) AND owner IS NULL AND due_at <= clock_timestamp() LIMIT 1',
          [orphans],
        )
        return left.length + free.length === 0
      }, 20_000)
      const resumedMs = Math.round(performance.now() - killed)
      if (!taken || resumedMs > boundMs) findings.add('resumed too late', `${resumedMs} ms`)
      await victim!.process.kill()
      installation.restart(victim!)
      await delay(500)
      return { inFlight: open, orphans: orphans.length, resumedMs }
    },
  )
  return { ...meanwhile, ended, looks }
}
