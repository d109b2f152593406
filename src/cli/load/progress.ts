import { SingleBar } from 'cli-progress'
import type { LoadProgress } from './load.ts'

/** Shows how a load goes. */
export interface ProgressView {
  update(progress: LoadProgress): void
  /** A line of its own, above the bar. */
  note(text: string): void
  stop(): void
}

const grouped = (n: number): string => Math.round(n).toLocaleString('en-US')

/** A bar on a terminal, otherwise a plain line every `everyMs`. Writes to `out`. */
export function progressView(out: NodeJS.WriteStream, everyMs = 5_000): ProgressView {
  return out.isTTY ? bar(out) : lines(out, everyMs)
}

interface Rate {
  readonly perSecond: number
  /** Seconds, or undefined when nothing can be said yet. */
  readonly eta: number | undefined
}

/** The rate of the last ten seconds, so that a pause shows and a slow start is forgotten. */
function rateMeter(): (progress: LoadProgress) => Rate {
  const marks: { at: number; rows: number }[] = [{ at: performance.now(), rows: 0 }]
  return ({ rows, rowsThisRun, totalRows, share }) => {
    const at = performance.now()
    const last = marks.at(-1)
    if (!last || at - last.at >= 500) marks.push({ at, rows: rowsThisRun })
    while (marks.length > 20) marks.shift()
    const first = marks[0] ?? { at, rows: rowsThisRun }
    const perSecond = at > first.at ? ((rowsThisRun - first.rows) / (at - first.at)) * 1e3 : 0
    const total = totalRows ?? (share > 0 ? rows / share : undefined)
    return {
      perSecond,
      eta: total === undefined || perSecond === 0 ? undefined : Math.max(0, total - rows) / perSecond,
    }
  }
}

const describe = (progress: LoadProgress, { perSecond, eta }: Rate): { rows: string; rate: string; left: string } => ({
  rows:
    progress.totalRows === undefined
      ? grouped(progress.rows)
      : `${grouped(progress.rows)}/${grouped(progress.totalRows)}`,
  rate: grouped(perSecond),
  left: eta === undefined ? '?' : `${Math.ceil(eta)} s`,
})

function bar(out: NodeJS.WriteStream): ProgressView {
  const view = new SingleBar({
    stream: out,
    format: '{bar} {percentage}%  {rows} rows  {rate} events/s  {left} left',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    fps: 10,
    gracefulExit: false, // Ctrl-C is ours
  })
  const rate = rateMeter()
  view.start(1_000, 0, { rows: '0', rate: '0', left: '?' })
  return {
    update: (progress) => view.update(Math.floor(progress.share * 1_000), describe(progress, rate(progress))),
    note: (text) => void out.write(`\r\x1b[K${text}\n`),
    stop: () => view.stop(),
  }
}

function lines(out: NodeJS.WriteStream, everyMs: number): ProgressView {
  const rate = rateMeter()
  let shown = performance.now()
  return {
    update(progress) {
      const now = rate(progress)
      if (performance.now() - shown < everyMs) return
      shown = performance.now()
      const text = describe(progress, now)
      out.write(`${Math.floor(progress.share * 100)}%  ${text.rows} rows  ${text.rate} events/s  ${text.left} left\n`)
    },
    note: (text) => void out.write(`${text}\n`),
    stop() {},
  }
}
