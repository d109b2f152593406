import { execFile } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { Socket } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'

/**
 * Named pipes between this process and the engine, which knows files only: rows go in by `FROM INFILE '<pipe>'`, answers
 * come out by `INTO OUTFILE '<pipe>'`, in any format, streamed, with backpressure, and nothing touches the disk.
 * A pipe is idle → lent to one statement → idle again, once both ends are closed (the kernel then forgets its content).
 */
export interface Fifos {
  /** @throws Error when all are lent: there are as many as statements may run. */
  lend(): { readonly path: string; giveBack(): void }
}

export async function makeFifos(directory: string, count: number): Promise<Fifos> {
  // No extension: the engine would guess a compression from it.
  const idle = Array.from({ length: count }, (_, i) => join(directory, `pipe${i}`))
  await promisify(execFile)('mkfifo', ['-m', '600', ...idle])
  return {
    lend: () => {
      const path = idle.shift()
      if (path === undefined) throw new Error('no pipe is idle')
      return { path, giveBack: () => void idle.push(path) }
    },
  }
}

export interface FifoReader {
  readonly stream: Readable
  finish(): void
  /** Resolves once our ends are closed: before that, the pipe must not be lent again (it would have a reader already). */
  close(): Promise<void>
}

/**
 * The reading end, for an answer. We hold a writing end too, so that the end of the stream comes when `finish` is called
 * (the statement has ended) and not before the engine has opened the pipe, or never because it did not open it at all.
 */
export function openForReading(path: string): FifoReader {
  const readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const writeEnd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  const stream = new Socket({ fd: readEnd, readable: true, writable: false })
  const closed = new Promise<void>((resolve) => stream.once('close', () => resolve()))
  let open = true
  const finish = (): void => {
    if (open) closeSync(writeEnd)
    open = false
  }
  return {
    stream,
    finish,
    close: () => {
      finish()
      stream.destroy()
      return closed
    },
  }
}

/**
 * The writing end, for rows. Opening waits in a thread until the engine opens the pipe for reading: closing before that
 * would leave the engine waiting for a writer forever. `release` ends that wait when the engine will never open it.
 */
export interface FifoWriter {
  readonly opened: Promise<void>
  /** @throws EPIPE when the engine has closed its end. */
  write(chunk: Uint8Array): Promise<void>
  /** Closes our end: for the engine, the end of the rows. */
  close(): Promise<void>
  /** Called when the statement has ended: frees a thread that waits for the engine to open or to read. */
  release(): void
}

export function openForWriting(path: string): FifoWriter {
  let handle: FileHandle | undefined
  let isOpen = false
  let readEnd: number | undefined
  const opened = open(path, 'w').then((file) => {
    handle = file
    isOpen = true
    // The reader that only ended the wait must not keep writes from failing.
    if (readEnd !== undefined) closeSync(readEnd)
  })
  return {
    opened,
    write: async (chunk) => {
      for (let at = 0; at < chunk.length; ) {
        if (!handle) throw new Error('the pipe is not open')
        at += (await handle.write(chunk, at)).bytesWritten
      }
    },
    close: async () => {
      await opened
      await handle?.close()
      handle = undefined
    },
    release: () => {
      // A reader makes a waiting open() return. Where it has returned already, the engine's own reader was there and is
      // gone now: writes fail with EPIPE by themselves.
      if (!isOpen) readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    },
  }
}
