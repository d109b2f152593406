import { createHash } from 'node:crypto'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, relative } from 'node:path'
import { AppError, type Clock, codeOf, type Logger, messageOf } from '@splitstream/kernel'
import { isMissing } from '../engines/missing.ts'
import { AnsweringFolder } from './answering-folder.ts'
import { bytesOf, type Manifest, readManifest, syncFolder } from './manifest.ts'
import { type BackupProgress, type BackupSources, takeBackup } from './take-backup.ts'

export interface BackupsOptions {
  /** Undefined: nothing is backed up here. */
  readonly dir: string | undefined
  /** Of the installation; it tells drafts of ours from those of others. */
  readonly dataDir: string
  /** What there is to copy, or why it cannot be copied here. */
  readonly sources: BackupSources | string
  readonly bytesPerSecond: number
  readonly minFreeBytes: number
  readonly clock: Clock
  readonly logger: Logger
}

export interface BackupView {
  readonly name: string
  readonly state: 'running' | 'complete' | 'failed'
  readonly startedAt: string
  /** The named point; null unless complete, as the next two. */
  readonly takenAt: string | null
  readonly eventsAt: string | null
  readonly position: string | null
  /** Copied so far, and in all as far as that is known. */
  readonly bytes: number
  readonly totalBytes: number
  readonly part?: BackupProgress['part']
  readonly error?: { readonly code: string; readonly detail: string }
}

interface Running {
  readonly name: string
  readonly startedAt: string
  readonly progress: BackupProgress
  readonly stop: AbortController
  readonly ended: Promise<void>
}

/** No separators, no leading dot: a name is one folder below BACKUP_DIR. */
const legalName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

/**
 * The backups below BACKUP_DIR, made one at a time. A backup is a draft (a folder with a dot) → complete, in one rename when all of
 * it is on the disk; or it is removed, at its end or, after a crash, at the next start.
 */
export class Backups {
  readonly #o: BackupsOptions
  readonly #draftPrefix: string
  readonly #folder = new AnsweringFolder()
  #running: Running | undefined
  #failed: BackupView | undefined

  constructor(o: BackupsOptions) {
    this.#o = o
    const mark = createHash('sha256').update(`${hostname()}:${o.dataDir}`).digest('hex').slice(0, 12)
    this.#draftPrefix = `.draft-${mark}-`
  }

  /**
   * Removes what a crash left. A folder that is not there now may be there later.
   * @throws AppError CONFIG_INVALID when backups would lie in what they are backups of
   */
  async start(): Promise<void> {
    const { dir, dataDir, logger } = this.#o
    if (dir === undefined) return
    if (!relative(dataDir, dir).startsWith('..'))
      throw new AppError('CONFIG_INVALID', 'BACKUP_DIR lies in DATA_DIR: what loses one would lose the other')
    try {
      for (const name of await this.#folder.ask(() => readdir(dir))) {
        if (!name.startsWith(this.#draftPrefix)) continue
        await this.#remove(join(dir, name))
        logger.warn('a backup that was cut off is removed', { backup: name.slice(this.#draftPrefix.length) })
      }
    } catch (error) {
      if (!isMissing(error)) logger.warn('the folder of backups cannot be read', { error: messageOf(error) })
    }
  }

  async stop(): Promise<void> {
    this.#running?.stop.abort(new AppError('STOPPING', 'The process stops'))
    await this.#running?.ended
  }

  /**
   * Begins a backup and returns at once.
   * @throws AppError UNPROCESSABLE with what to change or to use instead, REQUEST_INVALID, CONFLICT (one is running, the name is taken)
   */
  async begin(name: string): Promise<BackupView> {
    const { dir, sources, clock } = this.#o
    if (typeof sources === 'string') throw new AppError('UNPROCESSABLE', sources)
    if (dir === undefined)
      throw new AppError(
        'UNPROCESSABLE',
        'Set BACKUP_DIR to a folder, best on another disk, for backups to be written to',
      )
    checkName(name)
    if (this.#running) throw new AppError('CONFLICT', `The backup ${this.#running.name} is running: one at a time`)
    const progress: BackupProgress = { part: 'postgres', bytes: 0, totalBytes: 0 }
    const stop = new AbortController()
    const startedAt = new Date(clock.now()).toISOString()
    const taken = Promise.withResolvers<void>()
    const ended = this.#run(name, dir, sources, progress, stop.signal, taken)
    const running = { name, startedAt, progress, stop, ended }
    this.#running = running
    void ended.finally(() => {
      this.#running = undefined
    })
    await taken.promise
    return viewOf(running)
  }

  /** Newest first; with the one that runs, and the last that failed. @throws AppError UNAVAILABLE when BACKUP_DIR does not answer */
  async list(): Promise<BackupView[]> {
    const { dir } = this.#o
    const views = dir === undefined ? [] : await this.#folder.ask(() => this.#complete(dir))
    if (this.#running) views.push(viewOf(this.#running))
    if (this.#failed) views.push(this.#failed)
    return views.toSorted((a, b) => (a.startedAt < b.startedAt ? 1 : -1))
  }

  async #complete(dir: string): Promise<BackupView[]> {
    const views: BackupView[] = []
    for (const name of await readdir(dir).catch(() => [])) {
      if (!legalName.test(name)) continue
      const manifest = await readManifest(join(dir, name)).catch((error: unknown) => {
        this.#o.logger.warn('a backup cannot be read', { backup: name, error: messageOf(error) })
      })
      if (manifest) views.push(completeView(name, manifest))
    }
    return views
  }

  /** @throws AppError NOT_FOUND, REQUEST_INVALID, UNAVAILABLE when BACKUP_DIR does not answer */
  async get(name: string): Promise<BackupView> {
    checkName(name)
    if (this.#running?.name === name) return viewOf(this.#running)
    const { dir } = this.#o
    const manifest = dir === undefined ? undefined : await this.#folder.ask(() => readManifest(join(dir, name)))
    if (manifest) return completeView(name, manifest)
    if (this.#failed?.name === name) return this.#failed
    throw new AppError('NOT_FOUND', 'There is no backup of that name')
  }

  /**
   * Returns when it has ended, within seconds. Nothing of it is left, but in a folder that does not answer.
   * @throws AppError NOT_FOUND when it is not running
   */
  async cancel(name: string): Promise<void> {
    const running = this.#running
    if (running?.name !== name) throw new AppError('NOT_FOUND', 'No backup of that name is running')
    running.stop.abort(new AppError('CANCELLED', 'The backup was cancelled'))
    await running.ended
  }

  /** Never rejects, but for `taken`: when it does not even begin. */
  async #run(
    name: string,
    dir: string,
    sources: BackupSources,
    progress: BackupProgress,
    signal: AbortSignal,
    taken: PromiseWithResolvers<void>,
  ): Promise<void> {
    const { logger, clock } = this.#o
    const draft = join(dir, `${this.#draftPrefix}${name}`)
    const from = clock.monotonic()
    const startedAt = new Date(clock.now()).toISOString()
    try {
      await this.#folder.ask(async () => {
        await mkdir(dir, { recursive: true, mode: 0o700 })
        if ((await readdir(dir)).includes(name)) throw new AppError('CONFLICT', `There is a backup ${name} already`)
      })
      await this.#remove(draft)
      await this.#folder.ask(() => mkdir(draft, { mode: 0o700 }))
    } catch (error) {
      const told =
        error instanceof AppError
          ? error
          : new AppError('UNPROCESSABLE', 'BACKUP_DIR cannot be written to', { cause: error })
      return taken.reject(told)
    }
    taken.resolve()
    this.#failed = undefined
    try {
      const manifest = await takeBackup(sources, { ...this.#o, name, dir: draft, signal, progress })
      await this.#folder.ask(async () => {
        await rename(draft, join(dir, name))
        await syncFolder(dir)
      })
      const seconds = Math.round((clock.monotonic() - from) / 1_000)
      logger.info('a backup is complete', { backup: name, bytes: bytesOf(manifest), seconds })
    } catch (error) {
      await this.#remove(draft).catch(() => undefined)
      const failure = { code: codeOf(error), detail: messageOf(error) }
      logger[failure.code === 'CANCELLED' ? 'info' : 'error']('a backup failed', { backup: name, ...failure })
      this.#failed = { ...viewOf({ name, startedAt, progress }), state: 'failed', error: failure }
    }
  }

  async #remove(draft: string): Promise<void> {
    await this.#folder.ask(() => rm(draft, { recursive: true, force: true }))
  }
}

/** @throws AppError REQUEST_INVALID */
function checkName(name: string): void {
  if (legalName.test(name)) return
  throw new AppError(
    'REQUEST_INVALID',
    'A name is letters, digits, dots, hyphens and underscores, and begins with a letter or digit; at most 100',
  )
}

const viewOf = ({ name, startedAt, progress }: Pick<Running, 'name' | 'startedAt' | 'progress'>): BackupView => ({
  ...{ name, state: 'running', startedAt, takenAt: null, eventsAt: null, position: null },
  ...progress,
})

function completeView(name: string, manifest: Manifest): BackupView {
  const { startedAt, takenAt, eventsAt, position } = manifest
  const bytes = bytesOf(manifest)
  return { name, state: 'complete', startedAt, takenAt, eventsAt, position, bytes, totalBytes: bytes }
}
