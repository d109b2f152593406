import { type LoadOptions, type LoadSummary, loadFile } from './load.ts'
import { progressView } from './progress.ts'

const maxNotes = 20

/**
 * A load with a progress bar on stderr and a graceful Ctrl-C (a second one ends the process at once).
 * @throws what loadFile throws.
 */
export async function loadWithProgress(options: LoadOptions): Promise<LoadSummary> {
  const view = progressView(process.stderr)
  const stop = new AbortController()
  const interrupt = (): void => {
    if (stop.signal.aborted) process.exit(130)
    view.note('stopping: waiting for the answers to what was sent (Ctrl-C again ends at once)')
    stop.abort()
  }
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  let notes = 0
  const onNote = (text: string): void => {
    notes++
    if (notes <= maxNotes) view.note(notes < maxNotes ? text : 'more of the same is not shown')
  }
  try {
    return await loadFile({ ...options, signal: stop.signal, onProgress: view.update, onNote })
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
    view.stop()
  }
}

/** What a load ended with, for people. */
export function summaryText(summary: LoadSummary): string {
  const { rows, accepted, rejected, duplicates, errors, rowsThisRun, durationMs, finished, visible } = summary
  const n = (value: number): string => Math.round(value).toLocaleString('en-US')
  const seconds = durationMs / 1e3
  const lines = [
    `rows read   ${n(rows)}${rowsThisRun === rows ? '' : ` (${n(rowsThisRun)} in this run)`}`,
    `accepted    ${n(accepted)}${visible ? ', all stored and visible to queries' : ''}`,
    `rejected    ${n(rejected)}`,
    `duration    ${seconds.toFixed(1)} s, ${n(rowsThisRun / Math.max(seconds, 1e-3))} events/s`,
  ]
  if (duplicates > 0)
    lines.push(`repeats     ${n(duplicates)} of those accepted have the id of another row: stored once`)
  for (const { row, code, detail } of errors) lines.push(`  row ${row + 1}: ${code}: ${detail}`)
  if (rejected > errors.length && errors.length > 0) lines.push('  and more')
  if (finished && !visible) lines.push('Not everything is known to be visible to queries yet.')
  if (!finished) lines.push(`Stopped. The same command goes on where it stopped (${summary.checkpoint}).`)
  return lines.join('\n')
}
