/** The only writer of the log file, in a thread of its own: a slow fsync never stops the event loop of the process. */
import type { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { lockDirectory } from './file.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import { isFull } from './no-room.ts'
import { OpenFile } from './open-file.ts'

/**
 * Commits begin at least this far apart, ms. Without it, a stream of small appends makes 2,000 fsyncs a second for two or
 * three events each, and the kernel spends more than half a core on them. A lone append is never held back.
 */
const commitPeriodMs = 1

/** Failures in a row after which the file is given up, and the pause before each attempt to open it again, ms: 10 s in all. */
const maxFailures = 8
const pauseMs = (failures: number): number => Math.min(50 * 2 ** failures, 4_000)

const { dir, partitions } = workerData as { dir: string; partitions: number }
const port = parentPort!
/** Nobody ever changes it: waiting for it is a pause. */
const never = new Int32Array(new SharedArrayBuffer(4))
const pause = (ms: number): void => void Atomics.wait(never, 0, 0, ms)
const tell = (message: FromWorker): void => port.postMessage(message)
const textOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return 'errcode' in error ? `${error.message} (SQLite ${error.errcode})` : error.message
}

try {
  serve(lockDirectory(dir), new OpenFile(dir, partitions))
} catch (error) {
  tell({ kind: 'refused', message: textOf(error) })
}

function serve(lock: DatabaseSync, first: OpenFile): void {
  let file = first
  let failures = 0
  tell({ kind: 'opened', bounds: file.bounds, offsets: file.offsets(), skips: file.skips() })

  port.on('message', (message: ToWorker) => {
    if (message.kind === 'commit') {
      const from = performance.now()
      commit(message)
      // Nothing else is due before: an event loop's timer would be late by as much again.
      const rest = commitPeriodMs - (performance.now() - from)
      if (rest > 0) pause(rest)
      return tell({ kind: 'ready' })
    }
    if (message.kind === 'trim') {
      trim(message)
      return tell({ kind: 'trimmed', bounds: file.bounds })
    }
    file.close()
    lock.close()
    tell({ kind: 'closed' })
    port.close()
  })

  function commit(message: Extract<ToWorker, { kind: 'commit' }>): void {
    try {
      file.commit(message)
      failures = 0
      tell({ kind: 'committed' })
    } catch (error) {
      const full = isFull(error, dir)
      tell({ kind: 'failed', full, message: textOf(error) })
      if (full) return
      openAgain(error)
      tell({ kind: 'reopened', bounds: file.bounds })
    }
  }

  function trim(message: Extract<ToWorker, { kind: 'trim' }>): void {
    try {
      file.trim(message)
    } catch (error) {
      openAgain(error)
    }
  }

  /**
   * Crash, and recover from the last durable point. What failed is never tried again on the same file: SQLite, or the kernel,
   * might take for written what is not. @throws Error when there is no use in going on
   */
  function openAgain(reason: unknown): void {
    for (let why = reason; ; ) {
      failures++
      if (failures === maxFailures) throw new Error(`${textOf(why)}, ${failures} failures in a row`)
      pause(pauseMs(failures))
      try {
        file.abandon()
        file = new OpenFile(dir, partitions)
        return
      } catch (error) {
        why = error
      }
    }
  }
}
