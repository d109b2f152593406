import { prepareLoad } from './fork.ts'
import type { SingleResult } from './job.ts'
import type { Series } from './payload.ts'
import type { Plan } from './plan.ts'
import { progress } from './progress.ts'
import { median } from './stats.ts'
import type { Subject } from './subject.ts'

const connections = 64

export interface SingleFigures {
  /** Closed loop: requests per second, and per second of CPU time of the server's main process. */
  readonly perSecond: number
  readonly perCoreSecond: number
  /** Open loop, at half of what one core has to do and at half of what it did. */
  readonly asked: OpenLoop
  readonly reached: OpenLoop
}

/** Medians of the windows. */
export interface OpenLoop {
  readonly rate: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly worstP99Ms: number
}

/** Requests per second that one core has to answer. */
export const askedPerSecond = 10_000
/** The rate at which latencies are held against their targets. */
export const halfOfAsked = askedPerSecond / 2

/** Single events for so long after a warm-up: at a rate, or as fast as the connections go. */
export async function sendSingles(
  { server }: Subject,
  series: Series,
  seconds: number,
  rate?: number,
): Promise<SingleResult> {
  const load = await prepareLoad({
    ...{ kind: 'singles', url: server.url, key: server.adminKey, series, connections },
    ...{ seconds, serverPid: server.pid, ...(rate !== undefined && { rate }) },
  } as const)
  return await load.run()
}

/** Figure 3: one event a request, first as fast as the connections go, then at two rates. */
export async function measureSingles(plan: Plan, fromMs: number, subject: Subject): Promise<SingleFigures> {
  const run = (tag: string, rate?: number): Promise<SingleResult> =>
    sendSingles(subject, { tag, fromMs }, plan.singleSeconds, rate)
  progress(`single events: ${connections} connections, closed loop`)
  const closed = await run('c')
  const perSecond = closed.requests / closed.seconds
  progress(`single events: ${Math.round(perSecond)} requests/s`)
  const at = async (tag: string, wanted: number): Promise<OpenLoop> => {
    const windows: SingleResult[] = []
    while (windows.length < plan.singleWindows) {
      const window = await run(`${tag}${windows.length}`, wanted)
      const { p50Ms, p99Ms } = window
      progress(`single events at ${Math.round(wanted)}/s: p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`)
      windows.push(window)
    }
    const p99s = windows.map(({ p99Ms }) => p99Ms)
    return {
      rate: median(windows.map(({ requests, seconds }) => requests / seconds)),
      p50Ms: median(windows.map(({ p50Ms }) => p50Ms)),
      p99Ms: median(p99s),
      worstP99Ms: Math.max(...p99s),
    }
  }
  const asked = await at('o', halfOfAsked)
  const reached = await at('h', perSecond / 2)
  return { perSecond, perCoreSecond: closed.requests / closed.cpuSeconds, asked, reached }
}
