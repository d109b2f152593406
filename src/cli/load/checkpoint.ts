import { createHash } from 'node:crypto'
import { open, readFile, rename, stat } from 'node:fs/promises'
import { basename } from 'node:path'

/** What tells that a file is still the one that a checkpoint is about. */
export interface FileIdentity {
  readonly name: string
  readonly size: number
  readonly mtimeMs: number
  /** SHA-256 of the first 64 KiB, hex. */
  readonly head: string
  /** What stands before the row's number in ids, unless the user said so. */
  readonly prefix: string
}

/** How far a load got. Written whole, to a temporary file that then takes the name, so a reader never sees half of it. */
export interface Checkpoint {
  readonly version: 1
  readonly file: FileIdentity
  readonly url: string
  /** Hash of the mapping and of the options that decide what a row becomes. */
  readonly mapping: string
  /** Every row below this one is acknowledged or reported as rejected. */
  readonly rows: number
  readonly accepted: number
  readonly rejected: number
  readonly duplicates: number
  /** Position that covers all accepted rows. */
  readonly position?: string | undefined
  readonly finished: boolean
}

const headBytes = 64 * 1024

/**
 * @param before of the last load: a file that has only grown since then keeps the prefix that it had
 * @throws Error ENOENT and the like when the file cannot be read.
 */
export async function identify(path: string, before?: FileIdentity): Promise<FileIdentity> {
  const handle = await open(path)
  try {
    const { size, mtimeMs } = await handle.stat()
    const head = Buffer.alloc(Math.min(size, headBytes))
    await handle.read(head, 0, head.length, 0)
    const name = basename(path)
    const hasGrown =
      before?.name === name && before.size <= size && before.head === sha256(head.subarray(0, before.size))
    // Checkpoints of earlier versions have none.
    const prefix = (hasGrown && before.prefix) || idPrefix(name, head)
    return { name, size, mtimeMs: Math.round(mtimeMs), head: sha256(head), prefix }
  } finally {
    await handle.close()
  }
}

const sha256 = (...parts: readonly (string | Buffer)[]): string =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex')

/**
 * The default prefix of event ids: a hash of the file's name and its first 4 KiB. So a copy of the same name has the ids of the
 * original, a file that grows at its end keeps those it had (a shorter one by its checkpoint), and two files that only share a
 * name do not share ids.
 */
const idPrefix = (name: string, head: Buffer): string => `${sha256(`${name}\0`, head.subarray(0, 4096)).slice(0, 16)}-`

export function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex')
}

/** The checkpoint at `path`; undefined when there is none. @throws Error when it is there but is not one. */
export async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  if (!(await stat(path).catch(() => undefined))) return undefined
  const text = await readFile(path, 'utf8')
  try {
    const value = JSON.parse(text) as Checkpoint
    if (value.version === 1 && Number.isSafeInteger(value.rows) && typeof value.file?.head === 'string') return value
  } catch {
    // told below, together with JSON that is something else
  }
  throw new Error(`${path} is not a load checkpoint: remove it, or name another with --checkpoint`)
}

export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const next = `${path}.tmp`
  const handle = await open(next, 'w')
  try {
    await handle.writeFile(`${JSON.stringify(checkpoint, null, 2)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(next, path)
}

/** Why a checkpoint cannot be continued; undefined when it can. */
export function mismatch(found: Checkpoint, file: FileIdentity, url: string, mapping: string): string | undefined {
  if (found.file.size !== file.size || found.file.mtimeMs !== file.mtimeMs || found.file.head !== file.head)
    return 'the file has changed'
  if (found.url !== url) return `it is about another server (${found.url})`
  if (found.mapping !== mapping) return 'the mapping is another one'
  return undefined
}
