import { type Clock, systemClock } from '@splitstream/kernel'
import type { Connection } from '../api.ts'
import type { RejectedRow } from './batches.ts'
import { batches } from './batches.ts'
import {
  type Checkpoint,
  type FileIdentity,
  hashOf,
  identify,
  mismatch,
  readCheckpoint,
  writeCheckpoint,
} from './checkpoint.ts'
import { type OpenOptions, openFile } from './open.ts'
import { awaitStored } from './stored.ts'
import { type Totals, Tracker } from './tracker.ts'
import { sendAll } from './transfer.ts'

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
  /** Of those accepted: repeats of another event of the same request. They are stored once. */
  readonly duplicates: number
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

/** @throws Error when the file cannot be read, the server refuses, or retries are used up; the checkpoint is kept. */
export async function loadFile(options: LoadOptions): Promise<LoadSummary> {
  const clock = options.clock ?? systemClock
  const checkpointPath = options.checkpoint ?? `${options.path}.splitstream-load.json`
  const found = await readCheckpoint(checkpointPath)
  const identity = await identify(options.path, found?.file)
  const { source, mapping } = await openFile(options, identity)
  const mappingHash = hashOf(mapping)
  try {
    const from = await startingPoint(options, found, identity, mappingHash, clock)
    const tracker = new Tracker(from, 20)
    const save = (finished: boolean): Promise<void> => {
      const done: Checkpoint = {
        version: 1,
        file: identity,
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
      if (tracker.contiguous.rows > from.rows) await save(false)
      throw error
    }
    await save(finished)
    const { rows, accepted, rejected, duplicates, position } = tracker.contiguous
    const durationMs = clock.monotonic() - started
    const wait = finished && position !== undefined && options.waitStoredMs > 0
    const visible = wait && (await awaitStored(options, position, options.waitStoredMs, clock)) === 'stored'
    const { errors } = tracker
    return {
      rows,
      accepted,
      rejected,
      duplicates,
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

const nothingDone: Totals = { rows: 0, accepted: 0, rejected: 0, duplicates: 0, position: undefined }

async function startingPoint(
  options: LoadOptions,
  found: Checkpoint | undefined,
  file: FileIdentity,
  mapping: string,
  clock: Clock,
): Promise<Totals> {
  if (!found || options.restart) return nothingDone
  const again = (why: string): Totals => {
    options.onNote?.(`starting at the first row: ${why}. What is stored already is not stored twice`)
    return nothingDone
  }
  if (found.finished) return again('the last load of this file finished')
  const changed = mismatch(found, file, options.url, mapping)
  if (changed !== undefined) return again(changed)
  const { rows, accepted, rejected, duplicates, position } = found
  const there = position === undefined ? 'unasked' : await awaitStored(options, position, 60_000, clock)
  if (there === 'unreachable') throw new Error(`no answer from ${options.url}`)
  if (there === 'missing') return again('the server does not have what the checkpoint says')
  options.onNote?.(`going on at row ${rows + 1}`)
  return { rows, accepted, rejected, duplicates, position }
}
