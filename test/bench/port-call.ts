import { type Call, defineCallPort, systemCall, systemClock } from '@splitstream/kernel'
import { bindInProcess } from '../../src/transports/inproc/bind.ts'
import type { Plan } from './plan.ts'
import { median } from './stats.ts'

interface Echo {
  echo(input: number, call: Call): Promise<number>
}

/**
 * Figure 6: what an awaited call through the in-process binding costs more than the same awaited call made directly, ns.
 * Rounds of both take turns, so that a change of the machine's speed meets both; the median of the differences counts.
 */
export async function measurePortCall({ portCalls, portRounds }: Plan): Promise<number> {
  const answers = [Promise.resolve(1), Promise.resolve(2)] as const
  const direct: Echo = { echo: (input) => answers[input & 1 ? 1 : 0] }
  const port = defineCallPort<Echo>('bench.echo', 1, { echo: { idempotent: true, budgetMs: 1_000 } })
  const bound = bindInProcess(port, () => direct, systemClock)
  const call = systemCall(systemClock, 600_000, new AbortController().signal)
  const differences: number[] = []
  for (let round = -3; round < portRounds; round++) {
    const first = round & 1 ? await timed(bound, call, portCalls) : await timed(direct, call, portCalls)
    const second = round & 1 ? await timed(direct, call, portCalls) : await timed(bound, call, portCalls)
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
