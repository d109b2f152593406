import { productWithout } from '../faults/product.ts'
import { prepareLoad } from '../fork.ts'
import type { Plan } from '../plan.ts'
import { progress } from '../progress.ts'
import { settle } from '../settle.ts'
import { halfOfAsked, sendSingles } from '../single.ts'
import { median } from '../stats.ts'
import { type Subject, startSubject } from '../subject.ts'
import { startCollector } from './start.ts'

/** Medians of all rounds; the ratio is taken in each round. */
export interface OnByOff {
  readonly off: number
  readonly on: number
  readonly ratio: number
}

/** What telemetry costs, against a server without some of it. */
export interface Cost {
  /** Single events in a closed loop: requests per second, and per second of CPU time of the server's main process. */
  readonly singles: OnByOff
  readonly perCore: OnByOff
  /** Batches, events stored per second. */
  readonly batches: OnByOff
  /** Single events at half of what is asked of one core. */
  readonly p99: { readonly offMs: number; readonly onMs: number; readonly moreMs: number }
}

export interface TelemetryFigures {
  readonly rounds: number
  /** Of all of it, against a copy of the product that counts nothing. */
  readonly all: Cost
  /** Of sending and logging, against the product as it is when it does neither. */
  readonly sending: Cost
  /** What the collector was sent, MB. */
  readonly sentMb: number
}

interface Round {
  readonly perSecond: number
  readonly perCoreSecond: number
  readonly stored: number
  readonly p99Ms: number
}

/** The servers that are compared. */
const kinds = ['off', 'counting', 'on'] as const
type Kind = (typeof kinds)[number]

/**
 * Figure 8: three servers on the same machine in turn: one that sends metrics, and traces of 1 % of the requests, to a collector,
 * and logs at the level `info`; one that does neither, and counts; and a copy that does not count either. Who begins changes from
 * round to round.
 */
export async function measureTelemetry(plan: Plan): Promise<TelemetryFigures> {
  progress('telemetry: starting three servers and a collector')
  const collector = await startCollector()
  const subjects: Record<Kind, Subject> = {
    off: await startSubject({}, (await productWithout('metrics')).entry),
    counting: await startSubject(),
    on: await startSubject({
      LOG_LEVEL: 'info',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_TRACES_SAMPLER_ARG: '0.01',
      OTEL_METRIC_EXPORT_INTERVAL: '10000',
    }),
  }
  await expectNoMetrics(subjects.off)
  // Nobody counts the first round: code is compiled.
  for (const kind of kinds) await measureRound(plan, subjects[kind], `w${kind}`)
  const rounds: Record<Kind, Round>[] = []
  for (let i = 0; i < plan.telemetryRounds; i++) {
    progress(`telemetry: round ${i + 1} of ${plan.telemetryRounds}`)
    const round: Partial<Record<Kind, Round>> = {}
    for (let n = 0; n < kinds.length; n++) {
      const kind = kinds[(i + n) % kinds.length]!
      round[kind] = await measureRound(plan, subjects[kind], `${i}${n}`)
    }
    rounds.push(round as Record<Kind, Round>)
  }
  const sentMb = (await collector.taken()) / 1e6
  await Promise.all(kinds.map((kind) => subjects[kind].end()))
  await collector.end()
  const costAgainst = (kind: Kind): Cost => costOf(rounds.map((round) => ({ off: round[kind], on: round.on })))
  return { rounds: rounds.length, all: costAgainst('off'), sending: costAgainst('counting'), sentMb }
}

/** The copy is what it is meant to be. */
async function expectNoMetrics({ server }: Subject): Promise<void> {
  const text = await (await fetch(`${server.url}/metrics`)).text()
  if (text !== '') throw new Error(`the copy of the product without metrics has some: ${text.slice(0, 200)}`)
}

function costOf(rounds: readonly { readonly off: Round; readonly on: Round }[]): Cost {
  const both = (of: (round: Round) => number): OnByOff => ({
    off: median(rounds.map((round) => of(round.off))),
    on: median(rounds.map((round) => of(round.on))),
    ratio: median(rounds.map((round) => of(round.on) / of(round.off))),
  })
  const p99 = both((round) => round.p99Ms)
  const moreMs = median(rounds.map((round) => round.on.p99Ms - round.off.p99Ms))
  return {
    singles: both((round) => round.perSecond),
    perCore: both((round) => round.perCoreSecond),
    batches: both((round) => round.stored),
    p99: { offMs: p99.off, onMs: p99.on, moreMs },
  }
}

async function measureRound(plan: Plan, subject: Subject, tag: string): Promise<Round> {
  const { singleSeconds } = plan
  const closed = await sendSingles(subject, { tag: `c${tag}`, fromMs: Date.now() }, singleSeconds / 2)
  const perSecond = closed.requests / closed.seconds
  const open = await sendSingles(subject, { tag: `o${tag}`, fromMs: Date.now() }, singleSeconds, halfOfAsked)
  const { url, adminKey: key } = subject.server
  const events = Math.ceil(plan.events / 4_000) * 1_000
  const series = { tag: `b${tag}`, fromMs: Date.now() - 3_600_000 }
  const load = await prepareLoad({
    ...{ kind: 'batches', url, key, series, events, warmUpEvents: 0, inFlight: plan.inFlight },
  } as const)
  const batches = await load.run()
  const stored = (batches.events * 1_000) / batches.storedMs
  await settle(subject)
  return { perSecond, perCoreSecond: closed.requests / closed.cpuSeconds, stored, p99Ms: open.p99Ms }
}
