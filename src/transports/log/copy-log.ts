import { Worker } from 'node:worker_threads'
import { AppError } from '@splitstream/kernel'
import { endThread } from '../../end-thread.ts'
import type { GroupOffset } from './messages.ts'

export interface LogCopyJob {
  readonly fromDir: string
  /** Made by the copy. */
  readonly toDir: string
  readonly partitions: number
  /** The place of each partition with which the copy begins. */
  readonly from: readonly number[]
  /** How far the groups of the copy are. */
  readonly offsets: readonly GroupOffset[]
}

export type CopyStep =
  | { readonly bytes: number }
  /** Done. */
  | { readonly ends: readonly number[] }
  | { readonly failed: string; readonly full: boolean }

/**
 * Copies a log that is being appended to, from some place up to its end at the beginning of the copy: all that was
 * acknowledged before the call is in it. Traces are not copied.
 * @param pace awaited after each step of a few MiB, with its bytes
 * @returns the end of each partition
 * @throws AppError DISK_FULL, INTERNAL; the signal's reason when it is aborted
 */
export async function copyLog(
  job: LogCopyJob,
  signal: AbortSignal,
  pace: (bytes: number) => Promise<void>,
): Promise<readonly number[]> {
  const worker = new Worker(new URL('./copy-worker.ts', import.meta.url), {
    workerData: job,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  try {
    for (;;) {
      const step = await ask(worker, signal)
      if ('ends' in step) return step.ends
      if ('failed' in step) {
        throw step.full
          ? new AppError('DISK_FULL', 'The disk of the backup is full')
          : new AppError('INTERNAL', 'The log cannot be copied', { cause: new Error(step.failed) })
      }
      await pace(step.bytes)
    }
  } finally {
    await endThread(worker)
  }
}

async function ask(worker: Worker, signal: AbortSignal): Promise<CopyStep> {
  signal.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<CopyStep>()
  const failed = (cause: unknown): void => reject(new AppError('INTERNAL', 'The log cannot be copied', { cause }))
  const abort = (): void => reject(signal.reason)
  worker.on('message', resolve).on('error', failed).on('exit', failed)
  signal.addEventListener('abort', abort)
  try {
    worker.postMessage('go on')
    return await promise
  } finally {
    worker.off('message', resolve).off('error', failed).off('exit', failed)
    signal.removeEventListener('abort', abort)
  }
}
