import type { EngineFigures } from './engine.ts'
import type { IngestFigures } from './ingest.ts'
import type { IdleMemory } from './memory.ts'
import type { PortCallFigures } from './port-call.ts'
import { askedPerSecond, halfOfAsked, type SingleFigures } from './single.ts'
import type { Cost, OnByOff, TelemetryFigures } from './telemetry/measure.ts'
import type { VisibleFigures } from './visible.ts'

/** Everything that one run measured. */
export interface Figures {
  readonly engine: EngineFigures
  readonly ingest: IngestFigures
  readonly single: SingleFigures
  readonly visible: VisibleFigures
  readonly idle: IdleMemory
  readonly portCall: PortCallFigures
  readonly secondStartMs: number
  readonly telemetry: TelemetryFigures
}

export interface Row {
  readonly figure: string
  readonly measured: string
  readonly target: string
  /** Absent: a figure without a target. */
  readonly met?: boolean
}

/** Stored events per second against what the engine alone took in the same run. */
export const ratioTarget = 0.6
export const storedRatio = ({ engine, ingest }: Figures): number =>
  ingest.stored / Math.max(engine.one.rate, engine.two.rate)

const whole = (value: number): string => Math.round(value).toLocaleString('en-US')

/** The figures, each held against its target. */
export function rowsOf(f: Figures): Row[] {
  const { engine, ingest, single, visible } = f
  const atMost = (figure: string, value: number, limit: number, unit: string, digits = 0): Row => ({
    figure,
    measured: `${digits === 0 ? whole(value) : value.toFixed(digits)} ${unit}`,
    target: `≤ ${whole(limit)} ${unit}`,
    met: value <= limit,
  })
  const atLeast = (figure: string, value: number, limit: number, unit: string): Row => ({
    figure,
    measured: `${whole(value)} ${unit}`,
    target: `≥ ${whole(limit)} ${unit}`,
    met: value >= limit,
  })
  const plain = (figure: string, measured: string): Row => ({ figure, measured, target: '' })
  const ratio = storedRatio(f)
  return [
    plain('1 batches, acknowledged', `${whole(ingest.acknowledged)} events/s`),
    atLeast('1 batches, stored', ingest.stored, 200_000, 'events/s'),
    plain('2 engine alone, one insert at a time', `${whole(engine.one.rate)} events/s`),
    plain('2 engine alone, two inserts at a time', `${whole(engine.two.rate)} events/s`),
    {
      figure: '2 stored / engine alone',
      measured: ratio.toFixed(2),
      target: `≥ ${ratioTarget}`,
      met: ratio >= ratioTarget,
    },
    plain('3 single events, closed loop', `${whole(single.perSecond)} requests/s`),
    atLeast('3 single events, per core-second of the main process', single.perCoreSecond, askedPerSecond, 'requests'),
    atMost(`3 single events at ${whole(single.asked.rate)}/s, p50`, single.asked.p50Ms, 2, 'ms', 2),
    atMost(`3 single events at ${whole(single.asked.rate)}/s, p99`, single.asked.p99Ms, 10, 'ms', 2),
    plain('3 the same, p99 of the worst window', `${single.asked.worstP99Ms.toFixed(2)} ms`),
    plain(`3 single events at ${whole(single.reached.rate)}/s, p50`, `${single.reached.p50Ms.toFixed(2)} ms`),
    plain(`3 single events at ${whole(single.reached.rate)}/s, p99`, `${single.reached.p99Ms.toFixed(2)} ms`),
    atMost(`4 accepted → visible under ${whole(visible.rate)} events/s, p50`, visible.p50Ms, 500, 'ms'),
    atMost(`4 accepted → visible under ${whole(visible.rate)} events/s, p99`, visible.p99Ms, 1_500, 'ms'),
    atMost('5 memory of all processes, idle (sum of PSS)', f.idle.pssMib, 600, 'MiB'),
    plain('5 the same, shared pages counted for each (sum of RSS)', `${whole(f.idle.rssMib)} MiB`),
    atMost('5 memory of the main process during 1, peak (RSS)', ingest.peakMib, 500, 'MiB'),
    atMost('6 in-process port call, over a direct one', f.portCall.bound, 40, 'ns', 1),
    atMost('6 the same as the product binds it, timed', f.portCall.observed, 40, 'ns', 1),
    atMost('7 second start until ready', f.secondStartMs, 3_000, 'ms'),
    ...telemetryRows(f.telemetry),
  ]
}

/** Of figure 8. */
export function telemetryRows({ all, sending }: TelemetryFigures): Row[] {
  const rest = costRows('on / counting alone', sending).map(({ figure, measured }) => ({
    figure,
    measured,
    target: '',
  }))
  return [...costRows('on / off', all), ...rest]
}

function costRows(what: string, { singles, perCore, batches, p99 }: Cost): Row[] {
  const ratio = (figure: string, { ratio, off, on }: OnByOff, unit: string): Row => ({
    figure: `8 telemetry ${what}, ${figure}`,
    measured: `${ratio.toFixed(3)} (${whole(on)} / ${whole(off)} ${unit})`,
    target: '≥ 0.95',
    met: ratio >= 0.95,
  })
  return [
    ratio('single events', singles, 'requests/s'),
    ratio('single events per core-second', perCore, 'requests'),
    ratio('batches stored', batches, 'events/s'),
    {
      figure: `8 telemetry ${what.replace('/', '−')}, single events at ${whole(halfOfAsked)}/s, p99`,
      measured: `${p99.moreMs.toFixed(2)} ms (${p99.onMs.toFixed(2)} − ${p99.offMs.toFixed(2)})`,
      target: '≤ 1 ms',
      met: p99.moreMs <= 1,
    },
  ]
}
