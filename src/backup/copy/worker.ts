/** Copies files in a thread of its own: neither hashing nor fsync holds up what is served meanwhile. */
import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, readSync, statfsSync, symlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { AppError, codeOf } from '@splitstream/kernel'
import type { TreeFile } from '../../engines/file-tree.ts'
import { isMissing } from '../../engines/missing.ts'
import type { CopiedFile, CopyJob, FromCopyWorker } from './copy-files.ts'

const job = workerData as CopyJob
const chunk = Buffer.alloc(256 << 10)
/** Nobody ever changes it: waiting for it is a pause. */
const never = new Int32Array(new SharedArrayBuffer(4))
const tell = (message: FromCopyWorker): void => parentPort!.postMessage(message)

let begun = performance.now()
let bytesOfPace = 0

try {
  for (const path of job.directories) mkdirSync(join(job.to, path), { recursive: true, mode: 0o700 })
  for (const { path, target } of job.links) symlinkSync(target, join(job.to, path))
  const copied = job.files.flatMap((file) => copy(file) ?? [])
  // Not one by one: the first of these writes most of the others, too, and a thousand small files are soon done.
  for (const { path } of copied) sync(join(job.to, path))
  for (const path of job.directories.toReversed()) sync(join(job.to, path))
  sync(job.to)
  tell({ kind: 'done', files: copied })
} catch (error) {
  const { code, message } = failureOf(error)
  tell({ kind: 'failed', code, message })
}

/** Undefined for a file that is not there any more. */
function copy({ from, path, size, mayVanish }: TreeFile): CopiedFile | undefined {
  let source: number
  try {
    source = openSync(from, 'r')
  } catch (error) {
    if (mayVanish && isMissing(error)) return undefined
    throw error
  }
  try {
    checkRoom(size)
    const target = openSync(join(job.to, path), 'wx', 0o600)
    try {
      const copied = { path, ...pour(source, target) }
      const expected = job.expected?.get(path)
      if (expected && (expected.size !== copied.size || expected.sha256 !== copied.sha256))
        throw new AppError('CONFLICT', `The file ${path} of the backup is damaged: its checksum is another one`)
      return copied
    } finally {
      closeSync(target)
    }
  } finally {
    closeSync(source)
  }
}

function pour(source: number, target: number): { size: number; sha256: string } {
  const hash = createHash('sha256')
  let size = 0
  for (let read = readSync(source, chunk); read > 0; read = readSync(source, chunk)) {
    const bytes = chunk.subarray(0, read)
    hash.update(bytes)
    for (let at = 0; at < read; ) at += writeSync(target, bytes, at)
    size += read
    tell({ kind: 'bytes', bytes: read })
    pause(read)
  }
  return { size, sha256: hash.digest('hex') }
}

/** Holds the rate over the time in which something was copied; an idle second gives no credit. */
function pause(bytes: number): void {
  if (job.bytesPerSecond === 0) return
  bytesOfPace += bytes
  const early = (bytesOfPace / job.bytesPerSecond) * 1_000 - (performance.now() - begun)
  if (early > 5) Atomics.wait(never, 0, 0, early)
  if (early > -1_000) return
  begun = performance.now()
  bytesOfPace = 0
}

function checkRoom(size: number): void {
  const { bavail, bsize } = statfsSync(job.to)
  if (bavail * bsize - size < job.minFreeBytes)
    throw new AppError('DISK_FULL', 'Too little disk space is left for the copy')
}

function sync(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

function failureOf(error: unknown): Pick<AppError, 'code' | 'message'> {
  if (error instanceof AppError) return error
  if (error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT'))
    return { code: 'DISK_FULL', message: 'The disk of the copy is full' }
  return { code: codeOf(error), message: error instanceof Error ? error.message : String(error) }
}
