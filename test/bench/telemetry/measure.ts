import { prepareLoad } from '../fork.ts'
import type { SingleResult } from '../job.ts'
import type { Series } from '../payload.ts'
import type { Plan } from '../plan.ts'
import { progress } from '../progress.ts'
import { median } from '../stats.ts'
import { type Subject, startSubject } from '../subject.ts'
import { startCollector } from './start.ts'

/** Medians of all rounds; the ratio is taken in each round. */
export interface OnByOff {
  readonly off: number
  readonly on: number
  readonly ratio: number
}

export interface TelemetryFigures {
  readonly rounds: number
  /** Single events in a closed loop: requests per second, and per second of CPU time of the server's main process. */
  readonly singles: OnByOff
  readonly perCore: OnByOff
  /** Batches, events stored per second. */
  readonly batches: OnByOff
  /** Single events at the same rate, half of the closed loop's. */
  readonly p99: { readonly rate: number; readonly offMs: number; readonly onMs: number; readonly moreMs: number }
  /** What the collector was sent, MB. */
  readonly sentMb: number
}

interface Round {
  readonly perSecond: number
  readonly perCoreSecond: number
  readonly stored: number
  readonly p99Ms: number
}

const connections = 64

/**
 * Figure 8: two servers on the same machine in turn, one that sends metrics, and traces of 1 % of the requests, to a collector,
 * and logs at the level `info`; and one that does neither. Who begins changes from round to round.
 */
export async function measureTelemetry(plan: Plan): Promise<TelemetryFigures> {
  progress('telemetry: starting two servers and a collector')
  const collector = await startCollector()
  const off = await startSubject()
  const on = await startSubject({
    LOG_LEVEL: 'info',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_TRACES_SAMPLER_ARG: '0.01',
    OTEL_METRIC_EXPORT_INTERVAL: '10000',
  })
  // Nobody counts the first round: code is compiled, and the rate is found.
  const { perSecond } = await measureRound(plan, off, 'w0')
  await measureRound(plan, on, 'w1')
  const rate = perSecond / 2
  const rounds: { off: Round; on: Round }[] = []
  for (let i = 0; i < plan.telemetryRounds; i++) {
    progress(`telemetry: round ${i + 1} of ${plan.telemetryRounds}`)
    const first = i % 2 === 0 ? off : on
    const a = await measureRound(plan, first, `${i}a`, rate)
    const b = await measureRound(plan, first === off ? on : off, `${i}b`, rate)
    rounds.push(first === off ? { off: a, on: b } : { off: b, on: a })
  }
  const sentMb = (await collector.taken()) / 1e6
  await Promise.all([off.end(), on.end()])
  await collector.end()
  const both = (of: (round: Round) => number): OnByOff => ({
    off: median(rounds.map((round) => of(round.off))),
    on: median(rounds.map((round) => of(round.on))),
    ratio: median(rounds.map((round) => of(round.on) / of(round.off))),
  })
  const p99 = both((round) => round.p99Ms)
  const moreMs = median(rounds.map((round) => round.on.p99Ms - round.off.p99Ms))
  return {
    rounds: rounds.length,
    singles: both((round) => round.perSecond),
    perCore: both((round) => round.perCoreSecond),
    batches: both((round) => round.stored),
    p99: { rate, offMs: p99.off, onMs: p99.on, moreMs },
    sentMb,
  }
}

async function measureRound(plan: Plan, subject: Subject, tag: string, rate?: number): Promise<Round> {
  const closed = await singles(plan, subject, { tag: `c${tag}`, fromMs: Date.now() })
  const perSecond = closed.requests / closed.seconds
  const open = await singles(plan, subject, { tag: `o${tag}`, fromMs: Date.now() }, rate ?? perSecond / 2)
  const { url, adminKey: key } = subject.server
  const events = Math.ceil(plan.events / 4_000) * 1_000
  const series = { tag: `b${tag}`, fromMs: Date.now() - 3_600_000 }
  const load = await prepareLoad({
    ...{ kind: 'batches', url, key, series, events, warmUpEvents: 0, inFlight: plan.inFlight },
  } as const)
  const batches = await load.run()
  const stored = (batches.events * 1_000) / batches.storedMs
  return { perSecond, perCoreSecond: closed.requests / closed.cpuSeconds, stored, p99Ms: open.p99Ms }
}

async function singles(plan: Plan, { server }: Subject, series: Series, rate?: number): Promise<SingleResult> {
  const load = await prepareLoad({
    ...{ kind: 'singles', url: server.url, key: server.adminKey, series, connections },
    ...{ seconds: plan.singleSeconds / 2, serverPid: server.pid, ...(rate !== undefined && { rate }) },
  } as const)
  return await load.run()
}
