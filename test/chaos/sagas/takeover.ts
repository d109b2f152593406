import { setTimeout as delay } from 'node:timers/promises'
import { Stalls } from '../../support/stalls.ts'
import { signal } from '../processes.ts'
import { until } from './installation.ts'
import { forward } from './ledger/operations.ts'
import type { Measurement, Part } from './place.ts'
import { runSagas } from './run.ts'

const inFlight = 1_000
/** A lease, and a look of the others. */
const boundMs = 5_000
/** Later than this nobody goes on with them, ms. */
const giveUpMs = 20_000

export interface Takeover {
  /** Sagas that had not ended when the worker was killed, and how many of them were its own. */
  readonly inFlight: number
  readonly orphans: number
  readonly resumedMs: number
  /** For how much of that this process got nothing of the machine, and so nobody did, ms. */
  readonly stalledMs: number
  /** Sagas by how they ended. */
  readonly ended: Readonly<Record<string, number>>
  readonly looks: number
}

/** See `measureTakeover`. */
export const runTakeover: Part = async (place, seed, findings) => {
  const measured = await measureTakeover(place, seed, findings)
  const { resumedMs, stalledMs } = measured
  if (resumedMs - stalledMs > boundMs)
    findings.add('resumed too late', `${resumedMs} ms, ${stalledMs} ms of it stalled`)
  return measured
}

/**
 * kill -9 of one of three workers while a thousand sagas are in flight. Measured from outside: until Postgres has another
 * owner for each of its sagas.
 */
export const measureTakeover: Measurement<Takeover> = async ({ installation }, seed, findings) => {
  const [victim] = installation.alive
  const prefix = `slow-${seed}-`
  const { ended, looks, meanwhile } = await runSagas(
    installation,
    {
      ...{ prefix, seed, orders: inFlight, kind: 'slow', courier: 'post', clients: 24, endsWithinMs: 60_000 },
      character: { guard: 'keys' },
      rules: [{ operations: forward, share: 1, fault: { kind: 'slow', ms: 3_000 } }],
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
      using stalls = new Stalls()
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
      }, giveUpMs)
      const resumed = performance.now()
      const resumedMs = Math.round(resumed - killed)
      const stalledMs = Math.round(stalls.between(killed, resumed))
      if (open < inFlight) findings.add('too few sagas were in flight', `${open} of ${inFlight}`)
      if (orphans.length === 0) findings.add('the worker had no sagas', victim!.process.name)
      if (!taken) findings.add('not resumed', `within ${giveUpMs} ms`)
      await victim!.process.kill()
      installation.restart(victim!)
      await delay(500)
      return { inFlight: open, orphans: orphans.length, resumedMs, stalledMs }
    },
  )
  return { ...meanwhile, ended, looks }
}
