import { type Clock, systemClock } from '@splitstream/kernel'
import type { Connection } from '../api.ts'
import type { RejectedRow } from './batches.ts'
import { type Batch, batches } from './batches.ts'
import { type Checkpoint, hashOf, identify, mismatch, readCheckpoint, writeCheckpoint } from './checkpoint.ts'
import { type OpenOptions, openFile } from './open.ts'
import { createSender } from './sender.ts'
import { awaitStored } from './stored.ts'
import { type Totals, Tracker } from './tracker.ts'

/*
 * One load of one file. States: opening → sending → draining (the last batches are on their way) → waiting (everything is
 * acknowledged, the last position is not queryable yet) → finished; or → stopped, by the signal or by an error, with a
 * checkpoint from which the same command goes on.
 */
export interface LoadOptions extends OpenOptions, Connection {
  readonly path: string
  /** Events in a request. */
  readonly batch: number
  /** Requests in flight. */
  readonly inFlight: number
  readonly retries: number
  readonly timeoutMs: number
  readonly gzip: boolean
  /** Default: `<path>.splitstream-load.json`. */
  readonly checkpoint?: string | undefined
  /** Begin at the first row whatever the checkpoint says. */
  readonly restart: boolean
  /** How long to wait at the end until everything is queryable, ms; 0: not at all. */
  readonly waitStoredMs: number
  /** Stops the load gracefully. */
  readonly signal?: AbortSignal | undefined
  readonly clock?: Clock
  readonly onProgress?: (progress: LoadProgress) => void
  /** One line for the user: a resumed load, a repeat. */
  readonly onNote?: (note: string) => void
}

export interface LoadProgress {
  readonly rows: number
  readonly totalRows: number | undefined
  /** Share of the file, 0 … 1. */
  readonly share: number
  /** Rows done by this run, for rates. */
  readonly rowsThisRun: number
}

export interface LoadSummary {
  /** Of the file so far, earlier runs included. */
  readonly rows: number
  readonly accepted: number
  readonly rejected: number
  /** The first 20 of this run. */
  readonly errors: readonly RejectedRow[]
  readonly rowsThisRun: number
  readonly durationMs: number
  readonly position: string | undefined
  /** Everything accepted is visible to queries. False: not waited for, not within the time, or the key may not ask. */
  readonly visible: boolean
  /** False when the signal stopped it before the end. */
  readonly finished: boolean
  readonly checkpoint: string
}

const maxBatchChars = 4 * 1024 * 1024
const saveEveryMs = 1_000
/** How long a stopped load waits for the answers to what is on its way. */
const drainMs = 10_000

/** @throws Error when the file cannot be read, the server refuses, or retries are used up; the checkpoint is kept. */
export async function loadFile(options: LoadOptions): Promise<LoadSummary> {
  const clock = options.clock ?? systemClock
  const checkpointPath = options.checkpoint ?? `${options.path}.splitstream-load.json`
  const identity = await identify(options.path)
  const { source, mapping } = await openFile(options, identity)
  const mappingHash = hashOf(mapping)
  try {
    const from = await startingPoint(options, checkpointPath, identity, mappingHash, clock)
    const tracker = new Tracker(from, 20)
    const save = (finished: boolean): Promise<void> => {
      const { prefix: _, ...file } = identity
      const done: Checkpoint = {
        version: 1,
        file,
        url: options.url,
        mapping: mappingHash,
        ...tracker.contiguous,
        finished,
      }
      return writeCheckpoint(checkpointPath, done)
    }
    const started = clock.monotonic()
    const progress = (): void =>
      options.onProgress?.({
        rows: tracker.seen.rows,
        totalRows: source.totalRows,
        share: source.totalRows === undefined ? source.read() : tracker.seen.rows / Math.max(1, source.totalRows),
        rowsThisRun: tracker.seen.rows - from.rows,
      })
    let finished: boolean
    try {
      finished = await sendAll(
        options,
        batches(source.chunks(from.rows), { rows: options.batch, chars: maxBatchChars }),
        tracker,
        save,
        progress,
        clock,
      )
    } catch (error) {
      await save(false)
      throw error
    }
    await save(finished)
    const { rows, accepted, rejected, position } = tracker.contiguous
    const durationMs = clock.monotonic() - started
    const wait = finished && position !== undefined && options.waitStoredMs > 0
    const visible = wait && (await awaitStored(options, position, options.waitStoredMs, clock)) === 'stored'
    const { errors } = tracker
    return {
      rows,
      accepted,
      rejected,
      errors,
      rowsThisRun: rows - from.rows,
      durationMs,
      position,
      visible,
      finished,
      checkpoint: checkpointPath,
    }
  } finally {
    await source.close()
  }
}

/** True when the end of the file was reached, false when the signal came first. */
async function sendAll(
  options: LoadOptions,
  all: AsyncIterable<Batch>,
  tracker: Tracker,
  save: (finished: boolean) => Promise<void>,
  progress: () => void,
  clock: Clock,
): Promise<boolean> {
  const failure = new AbortController()
  const sender = createSender({
    ...options,
    connections: options.inFlight,
    onRetry: (reason, ms) => options.onNote?.(`sending again in ${Math.round(ms)} ms: ${reason}`),
  })
  const flying = new Set<Promise<void>>()
  const errors: unknown[] = []
  let saved = clock.monotonic()
  const fly = async (batch: Batch): Promise<void> => {
    const acknowledge = tracker.begin(batch)
    const nothing = { accepted: 0, rejected: 0, errors: [] }
    const receipt = batch.events === 0 ? nothing : await sender.send(batch.body, failure.signal)
    if (receipt.accepted + receipt.rejected !== batch.events) {
      throw new Error(`the server's receipt is about ${receipt.accepted + receipt.rejected} of ${batch.events} events`)
    }
    acknowledge(receipt)
    progress()
  }
  const stopped = options.signal ?? new AbortController().signal
  let late: NodeJS.Timeout | undefined
  const onStop = (): void => {
    late = setTimeout(() => failure.abort(), drainMs)
  }
  stopped.addEventListener('abort', onStop, { once: true })
  let reachedEnd = true
  try {
    for await (const batch of all) {
      const flight: Promise<void> = fly(batch).then(
        () => void flying.delete(flight),
        (error: unknown) => {
          flying.delete(flight)
          errors.push(error)
          failure.abort()
        },
      )
      flying.add(flight)
      while (flying.size >= options.inFlight) await Promise.race(flying)
      reachedEnd = !stopped.aborted && errors.length === 0
      if (!reachedEnd) break
      if (clock.monotonic() - saved >= saveEveryMs) {
        await save(false)
        saved = clock.monotonic()
      }
    }
    await Promise.all(flying)
  } finally {
    stopped.removeEventListener('abort', onStop)
    clearTimeout(late)
    failure.abort()
    await Promise.all(flying)
    sender.close()
  }
  if (errors.length > 0 && !stopped.aborted) throw errors[0]
  return reachedEnd && errors.length === 0
}

const nothingDone: Totals = { rows: 0, accepted: 0, rejected: 0, position: undefined }

async function startingPoint(
  options: LoadOptions,
  path: string,
  file: Awaited<ReturnType<typeof identify>>,
  mapping: string,
  clock: Clock,
): Promise<Totals> {
  const found = await readCheckpoint(path)
  if (!found || options.restart) return nothingDone
  const again = (why: string): Totals => {
    options.onNote?.(`starting at the first row: ${why}. What is stored already is not stored twice`)
    return nothingDone
  }
  if (found.finished) return again('the last load of this file finished')
  const changed = mismatch(found, file, options.url, mapping)
  if (changed !== undefined) return again(changed)
  const { rows, accepted, rejected, position } = found
  if (position !== undefined && (await awaitStored(options, position, 15_000, clock)) === 'missing')
    return again('the server does not have what the checkpoint says')
  options.onNote?.(`going on at row ${rows + 1}`)
  return { rows, accepted, rejected, position }
}
