import { prepareLoad } from './fork.ts'
import type { SingleResult } from './job.ts'
import type { Plan } from './plan.ts'
import { progress } from './progress.ts'
import type { Subject } from './subject.ts'

const connections = 64

export interface SingleFigures {
  /** Closed loop: requests per second, and per second of CPU time of the server's main process. */
  readonly perSecond: number
  readonly perCoreSecond: number
  /** Open loop at half of that rate. */
  readonly rate: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Figure 3: one event a request, first as fast as the connections go, then at half of that rate. */
export async function measureSingles(plan: Plan, fromMs: number, { server }: Subject): Promise<SingleFigures> {
  const run = async (tag: string, rate?: number): Promise<SingleResult> => {
    const load = await prepareLoad({
      kind: 'singles',
      url: server.url,
      key: server.adminKey,
      series: { tag, fromMs },
      connections,
      seconds: plan.singleSeconds,
      serverPid: server.pid,
      ...(rate !== undefined && { rate }),
    })
    return load.run()
  }
  progress(`single events: ${connections} connections, closed loop`)
  const closed = await run('c')
  const perSecond = closed.requests / closed.seconds
  progress(`single events: ${Math.round(perSecond)} requests/s; now at half of that`)
  const open = await run('o', perSecond / 2)
  progress(`single events: p50 ${open.p50Ms.toFixed(2)} ms, p99 ${open.p99Ms.toFixed(2)} ms`)
  return {
    perSecond,
    perCoreSecond: closed.requests / closed.cpuSeconds,
    rate: open.requests / open.seconds,
    p50Ms: open.p50Ms,
    p99Ms: open.p99Ms,
  }
}
