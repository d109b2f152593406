import { type Call, defineCallPort, noTracer, systemCall, systemClock } from '@splitstream/kernel'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { bindInProcess, bindObserved } from '../../src/transports/inproc/bind.ts'
import { PortCalls } from '../../src/transports/port-calls.ts'
import type { Plan } from './plan.ts'
import { median } from './stats.ts'

interface Echo {
  echo(input: number, call: Call): Promise<number>
}

export interface PortCallFigures {
  /**
   * What an awaited call costs more than the same awaited call made directly, ns, bound as the product does: with what is told of
   * calls, which is their times, and a span if they are traced, which these are not.
   */
  readonly observed: number
  /** The same without. */
  readonly bound: number
}

/**
 * Figure 6. Rounds of each and of direct calls take turns, so that a change of the machine's speed meets both; the median of the
 * differences counts.
 */
export async function measurePortCall({ portCalls, portRounds }: Plan): Promise<PortCallFigures> {
  const answers = [Promise.resolve(1), Promise.resolve(2)] as const
  const direct: Echo = { echo: (input) => answers[input & 1 ? 1 : 0] }
  const port = defineCallPort<Echo>('bench.echo', 1, { echo: { idempotent: true, budgetMs: 1_000 } })
  const metrics = createMetrics()
  const calls = new PortCalls({ clock: systemClock, metrics, tracer: noTracer })
  const bound = bindInProcess(port, () => direct, systemClock)
  const observed = bindObserved(port, () => direct, systemClock, calls)
  const figures = {
    bound: await differenceOf(bound, direct, portCalls, portRounds),
    observed: await differenceOf(observed, direct, portCalls, portRounds),
  }
  metrics.stop()
  return figures
}

async function differenceOf(tested: Echo, direct: Echo, calls: number, rounds: number): Promise<number> {
  const call = systemCall(systemClock, 600_000, new AbortController().signal)
  const differences: number[] = []
  for (let round = -3; round < rounds; round++) {
    const first = round & 1 ? await timed(tested, call, calls) : await timed(direct, call, calls)
    const second = round & 1 ? await timed(direct, call, calls) : await timed(tested, call, calls)
    // Rounds below 0 are for the compiler.
    if (round >= 0) differences.push(round & 1 ? first - second : second - first)
  }
  return median(differences)
}

/** ns per awaited call. */
async function timed(echo: Echo, call: Call, calls: number): Promise<number> {
  let sum = 0
  const from = process.hrtime.bigint()
  for (let i = 0; i < calls; i++) sum += await echo.echo(i, call)
  const ns = Number(process.hrtime.bigint() - from)
  if (sum < calls) throw new Error('a call did not answer')
  return ns / calls
}
