import { Worker } from 'node:worker_threads'
import { AppError, type ErrorCode } from '@splitstream/kernel'
import { endThread } from '../../end-thread.ts'
import type { FileTree } from '../../engines/file-tree.ts'

/** What was copied, as it was read. */
export interface CopiedFile {
  readonly path: string
  readonly size: number
  /** Hexadecimal. */
  readonly sha256: string
}

export interface CopyJob extends FileTree {
  /** Folder of the copy; it is there. */
  readonly to: string
  /** 0: as fast as it goes. */
  readonly bytesPerSecond: number
  /** Free space that is left on the disk of the copy, bytes. */
  readonly minFreeBytes: number
  /** By path: a file that is otherwise is not taken. */
  readonly expected?: ReadonlyMap<string, CopiedFile>
}

export type FromCopyWorker =
  | { readonly kind: 'bytes'; readonly bytes: number }
  /** All is there, and fsynced. */
  | { readonly kind: 'done'; readonly files: readonly CopiedFile[] }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string }

/**
 * Copies a tree in a thread of its own: read once, hashed on the way, fsynced, files and folders. Nothing is overwritten.
 * @returns the files, without those that vanished
 * @throws AppError DISK_FULL, CONFLICT (a file is not as expected), INTERNAL; the signal's reason when it is aborted, within a second
 */
export async function copyFiles(
  job: CopyJob,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<readonly CopiedFile[]> {
  signal.throwIfAborted()
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: job })
  const { promise, resolve, reject } = Promise.withResolvers<readonly CopiedFile[]>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  worker.on('message', (message: FromCopyWorker) => {
    if (message.kind === 'bytes') onBytes(message.bytes)
    if (message.kind === 'done') resolve(message.files)
    if (message.kind === 'failed') reject(new AppError(message.code, message.message))
  })
  worker.on('error', (cause) => reject(new AppError('INTERNAL', 'The copy failed', { cause })))
  worker.on('exit', () => reject(new AppError('INTERNAL', 'The copy ended too early')))
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', abort)
    await endThread(worker)
  }
}
