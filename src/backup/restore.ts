import { mkdir, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError, type Clock } from '@splitstream/kernel'
import type { FileTree } from '../engines/file-tree.ts'
import { isMissing } from '../engines/missing.ts'
import { startEmbeddedPostgres } from '../engines/postgres/embedded.ts'
import { skipNumbers } from '../engines/postgres/skip-numbers.ts'
import { skipPlaces } from '../transports/log/skips.ts'
import { copyFiles } from './copy/copy-files.ts'
import { restoringName } from './half-restored.ts'
import { bytesOf, type Manifest, manifestFile, platform, readManifest, syncFolder } from './manifest.ts'

export interface RestoreOptions {
  readonly from: string
  /** Empty, or not there. */
  readonly dataDir: string
  readonly clock: Clock
  readonly signal: AbortSignal
  onBegin(manifest: Manifest): void
  onBytes(bytes: number): void
}

/**
 * Makes an installation's data directory from a backup. All of it is copied into a folder of its own, each file against its
 * checksum; then Postgres brings its copy to the instant of the backup, and numbers that may have been given after it are
 * left out; then it is moved into place. When that fails, the directory is left empty.
 * @throws AppError CONFIG_INVALID (no backup, damaged, of another platform), CONFLICT (not empty, a checksum), DISK_FULL
 */
export async function restoreBackup(o: RestoreOptions): Promise<Manifest> {
  const manifest = await checkedManifest(o.from)
  await claimEmpty(o.dataDir)
  const draft = join(o.dataDir, restoringName)
  try {
    await checkRoom(o.dataDir, bytesOf(manifest))
    await mkdir(draft, { mode: 0o700 })
    o.onBegin(manifest)
    const job = { ...treeOf(o.from, manifest), to: draft, bytesPerSecond: 0, minFreeBytes: 0 }
    const expected = new Map(manifest.files.map((file) => [file.path, file]))
    await copyFiles({ ...job, expected }, o.signal, o.onBytes)
    const postgres = await startEmbeddedPostgres({ dataDir: join(draft, 'postgres') })
    try {
      await skipNumbers(postgres.url, o.clock.now())
    } finally {
      await postgres.stop()
    }
    skipPlaces(join(draft, 'log'), o.clock.now())
    for (const name of await readdir(draft)) await rename(join(draft, name), join(o.dataDir, name))
    await syncFolder(o.dataDir)
    await rm(draft, { recursive: true })
    await syncFolder(o.dataDir)
    return manifest
  } catch (error) {
    await empty(o.dataDir)
    throw error
  }
}

/** With every file that it names, of the size that it names. */
async function checkedManifest(dir: string): Promise<Manifest> {
  const manifest = await readManifest(dir)
  if (!manifest) throw new AppError('CONFIG_INVALID', `${dir} is no complete backup: it has no ${manifestFile}`)
  if (manifest.platform !== platform)
    throw new AppError('CONFIG_INVALID', `The backup is of ${manifest.platform}, and this is ${platform}`)
  for (const { path, size } of manifest.files) {
    const found = await stat(join(dir, path)).catch((error: unknown) => {
      if (isMissing(error)) throw new AppError('CONFIG_INVALID', `The backup is not whole: ${path} is missing`)
      throw error
    })
    if (found.size !== size)
      throw new AppError('CONFIG_INVALID', `The backup is damaged: ${path} has ${found.size} bytes in place of ${size}`)
  }
  return manifest
}

async function claimEmpty(dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const found = await contents(dataDir)
  if (found.length > 0)
    throw new AppError('CONFLICT', `${dataDir} is not empty (${found.slice(0, 3).join(', ')}): nothing is overwritten`)
}

async function checkRoom(dataDir: string, bytes: number): Promise<void> {
  const disk = await statfs(dataDir)
  const free = disk.bavail * disk.bsize
  if (free < bytes)
    throw new AppError('DISK_FULL', `The backup has ${bytes} bytes, and the disk of ${dataDir} has room for ${free}`)
}

const treeOf = (dir: string, { directories, links, files }: Manifest): FileTree => ({
  directories,
  links,
  files: files.map(({ path, size }) => ({ from: join(dir, path), path, size })),
})

/** The root of a file system may have a folder of its own. */
const contents = async (dataDir: string): Promise<string[]> =>
  (await readdir(dataDir)).filter((name) => name !== 'lost+found')

async function empty(dataDir: string): Promise<void> {
  for (const name of await contents(dataDir)) await rm(join(dataDir, name), { recursive: true, force: true })
}
