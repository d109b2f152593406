import { SingleBar } from 'cli-progress'

export interface ByteProgress {
  update(bytes: number, totalBytes: number, what: string): void
  stop(): void
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`

/** A bar on a terminal, otherwise a plain line every `everyMs`. Writes to `out`. */
export function byteProgress(out: NodeJS.WriteStream, everyMs = 5_000): ByteProgress {
  if (!out.isTTY) return lines(out, everyMs)
  const bar = new SingleBar({
    stream: out,
    format: '{bar} {percentage}%  {done} of {all}  {what}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    gracefulExit: false, // Ctrl-C is ours
  })
  bar.start(1, 0, { done: mib(0), all: '?', what: '' })
  return {
    update: (bytes, total, what) => {
      bar.setTotal(Math.max(total, 1))
      bar.update(Math.min(bytes, total), { done: mib(bytes), all: mib(total), what })
    },
    stop: () => bar.stop(),
  }
}

function lines(out: NodeJS.WriteStream, everyMs: number): ByteProgress {
  let shown = performance.now()
  return {
    update(bytes, total, what) {
      if (performance.now() - shown < everyMs) return
      shown = performance.now()
      out.write(`${mib(bytes)} of ${mib(total)}  ${what}\n`)
    },
    stop() {},
  }
}
