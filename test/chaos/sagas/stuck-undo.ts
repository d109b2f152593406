import { Client } from '../client.ts'
import { until } from './installation.ts'
import type { Arrival } from './ledger/messages.ts'
import type { Measurement, Part } from './place.ts'
import { runSagas } from './run.ts'

const sagas = 20
const stuckMs = 8_000

/** How soon an undo is to be seen that fails, ms; and how soon the others are to be done. */
const bounds = { visibleMs: 5_000, independentUndosMs: 1_000 }

export interface StuckUndo {
  readonly visibleMs: number
  /** From the first undo of a saga to the first attempt of its last one, in the slowest saga. */
  readonly independentUndosMs: number
  /** Sagas by how they ended. */
  readonly ended: Readonly<Record<string, number>>
}

/** See `measureStuckUndo`. */
export const runStuckUndo: Part = async (place, seed, findings) => {
  const measured = await measureStuckUndo(place, seed, findings)
  const { visibleMs, independentUndosMs } = measured
  if (visibleMs > bounds.visibleMs) findings.add('not visible', `before ${visibleMs} ms`)
  if (independentUndosMs > bounds.independentUndosMs) {
    findings.add('an independent undo was late', `${independentUndosMs} ms`)
  }
  return measured
}

/**
 * An undo that fails again and again, in the middle of two others: these are done within a second, lists show the saga within
 * five, and it goes on by itself when the participant is well again.
 */
export const measureStuckUndo: Measurement<StuckUndo> = async ({ installation }, seed, findings) => {
  const prefix = `stuck-${seed}-`
  const { ended, meanwhile } = await runSagas(
    installation,
    {
      ...{ prefix, seed, orders: sagas, kind: 'stuck', courier: 'closed', endsWithinMs: 30_000 },
      character: { guard: 'keys' },
      rules: [
        { operations: ['unlabel'], share: 1, fault: { kind: 'status', status: 500, effect: false }, forMs: stuckMs },
      ],
    },
    findings,
    async ({ started }) => {
      await started
      const client = new Client(installation.alive[0]!.process.url, installation.adminKey)
      let listed = 0
      const began = performance.now()
      const visible = await until(async () => {
        const page = await client.json<{ sagas: { name: string; problem: string }[] }>(
          'GET',
          '/v1/sagas?problem=true&limit=100',
        )
        listed = page.sagas.filter(({ name, problem }) => name === 'stuck' && problem.includes('label')).length
        return listed === sagas
      }, stuckMs)
      client.close()
      if (!visible) findings.add('not visible', `${listed} of ${sagas} are listed while their undos fail`)
      return { visibleMs: Math.round(performance.now() - began) }
    },
  )
  const { arrivals } = await installation.ledger.audit(prefix)
  const lateMs = [...Map.groupBy(arrivals, ({ saga }) => saga).values()].map(independentMs)
  return { ...meanwhile, independentUndosMs: Math.round(Math.max(...lateMs)), ended }
}

/** From the first undo to the first attempt of the last one. */
function independentMs(arrivals: readonly Arrival[]): number {
  const undos = arrivals.filter(({ undo }) => undo)
  const first = (operation: string): number =>
    undos.find((one) => one.operation === operation)?.at ?? Number.POSITIVE_INFINITY
  return Math.max(first('refund'), first('release')) - Math.min(...undos.map(({ at }) => at))
}
