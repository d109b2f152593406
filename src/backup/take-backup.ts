import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, encodePosition } from '@splitstream/kernel'
import type { EmbeddedClickHouse } from '../engines/clickhouse/embedded.ts'
import { type FileTree, walkTree } from '../engines/file-tree.ts'
import type { EmbeddedPostgres } from '../engines/postgres/embedded.ts'
import { copyLog } from '../transports/log/copy-log.ts'
import type { LogHold } from '../transports/log/local-log.ts'
import { version } from '../version.ts'
import { type CopiedFile, copyFiles } from './copy/copy-files.ts'
import { type Manifest, platform, syncFolder, writeManifest, writeSynced } from './manifest.ts'
import { orLeft } from './or-left.ts'

/** What an installation consists of, all of it in this process's hands. */
export interface BackupSources {
  readonly log: { readonly dir: string; readonly partitions: number; hold(): LogHold }
  readonly postgres: Pick<EmbeddedPostgres, 'backup'>
  readonly clickhouse: Pick<EmbeddedClickHouse, 'snapshot'>
}

export interface BackupProgress {
  part: 'postgres' | 'clickhouse' | 'log'
  /** Bytes copied. */
  bytes: number
  /** Bytes to be copied, as far as that is known. */
  totalBytes: number
}

export interface TakeOptions {
  readonly name: string
  /** Empty. */
  readonly dir: string
  readonly bytesPerSecond: number
  readonly minFreeBytes: number
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly progress: BackupProgress
}

/**
 * Copies everything into `dir`, in the order that makes a whole of copies of different instants (docs/adr/0012):
 *
 *   held        the log gives up nothing from here on; how far its groups are is noted
 *   Postgres    its record of what is stored is of an instant after that, so that the log has all that it does not know of
 *   ClickHouse  after Postgres: what is on record as stored is there. What is there beyond, the first start finds
 *   log         last, from the noted place to its end
 *
 * The named point is that of Postgres: sagas and keys are there alone. Of events there is more, as the log is copied later.
 *
 * @throws AppError when some part cannot be copied, or the disk is too full; the signal's reason when it is aborted, within seconds,
 * whatever hangs
 */
export async function takeBackup(sources: BackupSources, o: TakeOptions): Promise<Manifest> {
  const hold = sources.log.hold()
  const signal = AbortSignal.any([o.signal, hold.signal])
  try {
    return await orLeft(copyAll(sources, hold, { ...o, signal }), signal)
  } finally {
    hold.release()
  }
}

async function copyAll(sources: BackupSources, hold: LogHold, o: TakeOptions): Promise<Manifest> {
  const { signal } = o
  const startedAt = instant(o.clock)
  const copy = new TreeCopy(o)
  const add = (tree: FileTree): Promise<void> => copy.add(tree)
  const { label, at } = await sources.postgres.backup('postgres/cluster', add, signal)
  await copy.addText('postgres/cluster/pgdata', 'backup_label', label)
  o.progress.part = 'clickhouse'
  await sources.clickhouse.snapshot('clickhouse/data', add, signal)
  o.progress.part = 'log'
  const eventsAt = instant(o.clock)
  const ends = await copy.addLog(sources.log, hold)
  const position = encodePosition(new Map(ends.map((end, partition) => [partition, end])))
  const manifest: Manifest = {
    ...{ format: 1, name: o.name, version, platform, startedAt, takenAt: at.toISOString(), eventsAt, position },
    directories: [...copy.directories],
    links: copy.links,
    files: copy.files,
  }
  await writeManifest(o.dir, manifest)
  return manifest
}

const instant = (clock: Clock): string => new Date(clock.now()).toISOString()

/** A copy that grows tree by tree. */
class TreeCopy {
  readonly directories = new Set<string>()
  readonly links: { path: string; target: string }[] = []
  readonly files: CopiedFile[] = []
  readonly #o: TakeOptions

  constructor(o: TakeOptions) {
    this.#o = o
  }

  async add(tree: FileTree): Promise<void> {
    const { dir, bytesPerSecond, minFreeBytes, progress, signal } = this.#o
    progress.totalBytes += tree.files.reduce((sum, { size }) => sum + size, 0)
    const job = { ...tree, to: dir, bytesPerSecond, minFreeBytes }
    const files = await copyFiles(job, signal, (bytes) => {
      progress.bytes += bytes
    })
    for (const path of tree.directories) this.directories.add(path)
    this.links.push(...tree.links)
    for (const file of files) this.files.push(file)
  }

  /** Into a folder that was added. */
  async addText(folder: string, name: string, text: string): Promise<void> {
    const to = join(this.#o.dir, folder)
    await writeSynced(join(to, name), text)
    await syncFolder(to)
    const sha256 = createHash('sha256').update(text).digest('hex')
    this.files.push({ path: `${folder}/${name}`, size: Buffer.byteLength(text), sha256 })
  }

  /** @returns the end of each partition */
  async addLog({ dir, partitions }: BackupSources['log'], hold: LogHold): Promise<readonly number[]> {
    const { bytesPerSecond, clock, signal } = this.#o
    const draft = join(this.#o.dir, 'log.draft')
    const job = { fromDir: dir, toDir: draft, partitions, from: hold.from, offsets: hold.offsets }
    const ends = await copyLog(job, signal, (bytes) => clock.sleep((bytes / bytesPerSecond) * 1_000, signal))
    await this.add(await walkTree(draft, 'log'))
    await rm(draft, { recursive: true })
    return ends
  }
}
