const startedAt = performance.now()

/** One line on stderr, with the seconds since the start. */
export function progress(text: string): void {
  process.stderr.write(`[${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s] ${text}\n`)
}
