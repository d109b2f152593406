import { chmod, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError, messageOf } from '@splitstream/kernel'
import pg from 'pg'
import { type FileTree, walkTree } from '../file-tree.ts'
import { chooseAccount } from './account.ts'
import { baseBackup } from './base-backup.ts'
import { findDistribution, readableByAll } from './binaries.ts'
import { claimDirectory } from './claim.ts'
import { openCluster, pgdataOf, SUPERUSER } from './cluster.ts'
import { endEarlierServer } from './orphan.ts'
import { freePort, type Report, type Server, serverReady, spawnServer, stopServer } from './server.ts'

/*
 * The embedded Postgres: a real server as a supervised child.
 *
 *   claimed → (initdb) → earlier server ended → spawned → ready ⇄ ended unasked → back-off → spawned …
 *                                                          ↘ stopping → stopped
 *
 * It comes back on the same port with the same password after any end that we did not ask for, such as the PANIC that
 * follows a failed fsync, for as long as we live: attempts are paced (0 ms, then 100 ms doubling up to 5 s), and the
 * pace is forgotten after a minute of health. Pools reconnect by themselves.
 */
export interface EmbeddedPostgresOptions {
  /** A folder for the server alone; made 0700 when absent. */
  dataDir: string
  /** Called after each end that was not asked for; `restarts` counts them since the start. */
  onExit?: (info: { code: number | null; signal: string | null; restarts: number }) => void
  logger?: {
    info(msg: string, extra?: object): void
    warn(msg: string, extra?: object): void
    error(msg: string, extra?: object): void
  }
}

export interface EmbeddedPostgres {
  /** URL of the superuser, database `splitstream`. Stays valid over restarts. */
  readonly url: string
  /** The current postmaster. */
  readonly pid: number
  /**
   * A physical copy while the server runs: what was committed before `at` is in it. All that a server on it needs is in the
   * trees, but for `label`: it belongs into the file `<prefix>/pgdata/backup_label`.
   * @param prefix of the cluster's folder in the copy
   */
  backup(
    prefix: string,
    copy: (tree: FileTree) => Promise<void>,
    signal: AbortSignal,
  ): Promise<{ label: string; at: Date }>
  /** Fast shutdown: sessions are ended, everything is written. Harsher after `deadlineMs` (10,000). Safe to call twice. */
  stop(deadlineMs?: number): Promise<void>
}

const DATABASE = 'splitstream'
const HEALTHY_MS = 60_000
const ORPHAN_DEADLINE_MS = 5_000

/**
 * Starts the server of `dataDir`, making the cluster at the first start, and resolves when it takes connections.
 * @throws AppError CONFIG_INVALID (cannot run here), CONFLICT (another process uses the folder), UNAVAILABLE, INTERNAL.
 */
export async function startEmbeddedPostgres(o: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const found = await findDistribution()
  await mkdir(o.dataDir, { recursive: true, mode: 0o700 })
  await chmod(o.dataDir, 0o700)
  const release = await claimDirectory(o.dataDir)
  try {
    const supervisor = await Supervisor.start(o, found, release)
    return supervisor
  } catch (error) {
    await release()
    throw error
  }
}

type Parts = {
  binaries: Awaited<ReturnType<typeof findDistribution>>
  account: Awaited<ReturnType<typeof chooseAccount>>
  cluster: Awaited<ReturnType<typeof openCluster>>
  release: () => Promise<void>
}

class Supervisor implements EmbeddedPostgres {
  readonly #options: EmbeddedPostgresOptions
  readonly #parts: Parts
  readonly #abort = new AbortController()
  readonly #onProcessExit = () => this.#server?.child.kill('SIGINT')
  #port = 0
  #restarts = 0
  #server: Server | undefined
  #lastLines: string[] = []
  #watching: Promise<void> = Promise.resolve()
  #stopped: Promise<void> | undefined

  constructor(options: EmbeddedPostgresOptions, parts: Parts) {
    this.#options = options
    this.#parts = parts
  }

  static async start(
    o: EmbeddedPostgresOptions,
    found: Parts['binaries'],
    release: Parts['release'],
  ): Promise<Supervisor> {
    const account = await chooseAccount(pgdataOf(o.dataDir))
    const binaries = account.dropped ? await readableByAll(found) : found
    const cluster = await openCluster(o.dataDir, account, binaries)
    const supervisor = new Supervisor(o, { binaries, account, cluster, release })
    await supervisor.#first()
    return supervisor
  }

  get url(): string {
    return this.#urlOf(DATABASE)
  }

  get pid(): number {
    return this.#server?.pid ?? -1
  }

  async backup(
    prefix: string,
    copy: (tree: FileTree) => Promise<void>,
    signal: AbortSignal,
  ): Promise<{ label: string; at: Date }> {
    const { pgdata } = this.#parts.cluster
    const isPassword = (path: string): boolean => path === 'password'
    await copy(await walkTree(dirname(pgdata), prefix, isPassword))
    return await baseBackup(this.url, pgdata, `${prefix}/pgdata`, copy, signal)
  }

  stop(deadlineMs = 10_000): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs)
    return this.#stopped
  }

  async #stop(deadlineMs: number): Promise<void> {
    this.#abort.abort()
    if (this.#server) await stopServer(this.#server, deadlineMs)
    await this.#watching
    process.off('exit', this.#onProcessExit)
    await this.#parts.release()
  }

  async #first(): Promise<void> {
    const { stopped } = await this.#endEarlier()
    if (stopped !== undefined) this.#options.logger?.warn('ended the Postgres of an earlier start', { pid: stopped })
    process.on('exit', this.#onProcessExit)
    try {
      await this.#firstSpawn()
      await this.#ensureDatabase()
    } catch (error) {
      process.off('exit', this.#onProcessExit)
      if (this.#server) await stopServer(this.#server, ORPHAN_DEADLINE_MS)
      throw error
    }
    this.#watching = this.#watch()
  }

  /** The port was free a moment ago; when it no longer is, another is tried. Any other failure is the caller's. */
  async #firstSpawn(): Promise<void> {
    for (let attempt = 0; attempt < 5; attempt++) {
      this.#port = await freePort()
      if (await this.#spawn()) return
      if (!this.#lastLines.some((line) => line.includes('could not bind'))) break
    }
    const reason = this.#lastLines.filter((line) => !line.startsWith('LOG:')).slice(-5)
    throw new AppError(
      'UNAVAILABLE',
      `The embedded Postgres does not start: ${reason.join('; ') || 'it gave no reason'}`,
    )
  }

  /** @returns whether the server became ready (false: it ended first). */
  async #spawn(): Promise<boolean> {
    const { binaries, cluster, account } = this.#parts
    this.#lastLines = []
    this.#server = spawnServer(binaries, cluster, account, this.#port, this.#report)
    return await serverReady(this.#server, cluster.pgdata)
  }

  async #watch(): Promise<void> {
    let failures = 0
    for (;;) {
      const server = this.#server
      if (!server) return
      const from = performance.now()
      const end = await server.ended
      if (this.#abort.signal.aborted) return
      failures = performance.now() - from > HEALTHY_MS ? 1 : failures + 1
      this.#restarts++
      this.#options.logger?.error('Postgres ended, starting it again', { ...end, restarts: this.#restarts })
      this.#options.onExit?.({ ...end, restarts: this.#restarts })
      const pause = failures === 1 ? 0 : Math.min(5_000, 50 * 2 ** (failures - 1))
      await delay(pause, undefined, { signal: this.#abort.signal }).catch(() => undefined)
      if (this.#abort.signal.aborted) return
      await this.#again()
    }
  }

  /** One attempt after an unasked end. Its failure is reported, and the watch goes on with the next. */
  async #again(): Promise<void> {
    try {
      await this.#endEarlier()
      if (this.#abort.signal.aborted) return
      if (await this.#spawn())
        this.#options.logger?.info('Postgres is back', { pid: this.pid, restarts: this.#restarts })
    } catch (error) {
      this.#options.logger?.error('could not start Postgres again', { error: messageOf(error) })
      if (this.#server) await stopServer(this.#server, ORPHAN_DEADLINE_MS)
    }
  }

  async #endEarlier(): Promise<{ stopped: number | undefined }> {
    const { cluster, account } = this.#parts
    return await endEarlierServer(cluster.pgdata, cluster.name, account, ORPHAN_DEADLINE_MS)
  }

  /** Also the proof that the server takes our password. */
  async #ensureDatabase(): Promise<void> {
    const client = new pg.Client({ connectionString: this.#urlOf('postgres'), connectionTimeoutMillis: 10_000 })
    client.on('error', () => {}) // The running statement reports a lost connection.
    try {
      await client.connect()
      const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE])
      if (found.rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`)
      // By default everybody may connect; roles are granted it one by one.
      if (found.rowCount === 0) await client.query(`REVOKE ALL ON DATABASE ${DATABASE} FROM PUBLIC`)
    } catch (cause) {
      throw new AppError('UNAVAILABLE', 'The embedded Postgres cannot be used', { cause })
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  #urlOf(database: string): string {
    return `postgres://${SUPERUSER}:${this.#parts.cluster.password}@127.0.0.1:${this.#port}/${database}`
  }

  readonly #report: Report = (level, line) => {
    this.#lastLines = [...this.#lastLines.slice(-19), line]
    this.#options.logger?.[level]('postgres', { line })
  }
}
