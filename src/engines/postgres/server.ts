import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError, type Random, systemRandom } from '@splitstream/kernel'
import type { Account } from './account.ts'
import type { Distribution } from './binaries.ts'
import type { Cluster } from './cluster.ts'
import { guard } from './guardian.ts'
import { until } from './processes.ts'

/** One life of the server: a postmaster that is our child. */
export interface Server {
  readonly child: ChildProcess
  readonly pid: number
  readonly ended: Promise<{ code: number | null; signal: string | null }>
}

export type Report = (level: 'info' | 'warn' | 'error', line: string) => void

/** Crash recovery replays at most max_wal_size; a slow disk may still need a while. */
const READY_DEADLINE_MS = 120_000

/**
 * Durability first (all three switches are the defaults; they are pinned so that no edited file can turn them off), then
 * a small footprint: the tables are offsets, ranges, sagas and keys, not the events. What runs on the command line wins
 * over postgresql.conf, so settings follow the version of Splitstream and not the day of initdb.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  shared_buffers: '16MB',
  huge_pages: 'off',
  // A whole process takes up to 28, a split has five, and the next ones come before the last are gone. A place is 50 KB.
  max_connections: '200',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  max_wal_size: '256MB',
  min_wal_size: '32MB',
  // What backups while the server runs need, with a slot for each.
  wal_level: 'replica',
  // The first change of a page after a checkpoint logs all of it: compressed, that is a third.
  wal_compression: 'on',
  max_wal_senders: '0',
  max_replication_slots: '2',
  max_logical_replication_workers: '0',
  max_worker_processes: '2',
  max_parallel_workers_per_gather: '0',
  autovacuum_max_workers: '1',
  autovacuum_naptime: '30s',
  io_method: 'sync',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Loopback TCP and not a Unix socket: a socket's path is limited to 107 bytes, which a DATA_DIR can exceed, and the
  // server under its own account could not be reached through a private folder. Logins need the SCRAM password.
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // Statements and row values stay out of the log.
  log_line_prefix: '',
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
}

/** Starts a postmaster on `port`. It is in a session of its own: Ctrl-C at the terminal is ours to handle, not its. */
export function spawnServer(
  binaries: Distribution,
  cluster: Cluster,
  account: Account,
  port: number,
  report: Report,
): Server {
  const settings = { ...SETTINGS, port: String(port), cluster_name: cluster.name }
  const args = ['-D', account.dropped ? '/proc/self/cwd' : cluster.pgdata]
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`)
  const child = spawn(binaries.postgres, args, {
    cwd: cluster.pgdata,
    env: { LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    ...(account.dropped ? { uid: account.uid, gid: account.gid } : {}),
  })
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (!isOfStatement(line)) report(levelOf(line), line.slice(0, 2_000))
  })
  const dismiss = child.pid === undefined ? () => {} : guard(child.pid, account)
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once('exit', (code, signal) => {
      dismiss()
      resolve({ code, signal })
    })
    child.once('error', (error) => {
      report('error', error.message)
      if (child.pid === undefined) resolve({ code: null, signal: null })
    })
  })
  return { child, pid: child.pid ?? -1, ended }
}

/** Waits until the server takes connections. False when it ended first. @throws AppError UNAVAILABLE after two minutes. */
export async function serverReady(server: Server, pgdata: string): Promise<boolean> {
  let over = false
  void server.ended.then(() => {
    over = true
  })
  const ready = await until(async () => over || (await saysReady(server.pid, pgdata)), READY_DEADLINE_MS, 5)
  if (!ready) throw new AppError('UNAVAILABLE', 'Postgres did not become ready in time')
  return !over
}

/** SIGINT (fast shutdown), SIGQUIT after the deadline, SIGKILL as the last resort; returns when it is gone. */
export async function stopServer(server: Server, deadlineMs: number): Promise<void> {
  const steps = [
    ['SIGINT', deadlineMs],
    ['SIGQUIT', 5_000],
  ] as const
  for (const [name, ms] of steps) {
    if (server.child.exitCode !== null || server.child.signalCode !== null || server.child.pid === undefined) return
    server.child.kill(name)
    const abort = new AbortController()
    const gone = server.ended.then(() => true)
    const late = delay(ms, false, { signal: abort.signal }).catch(() => false)
    if (await Promise.race([gone, late])) return abort.abort()
  }
  server.child.kill('SIGKILL')
  await server.ended
}

/**
 * A free loopback port below the range that the system hands out for outgoing connections (32768 up on Linux, 49152 on
 * macOS), so that nobody takes it by accident while the server restarts.
 */
export async function freePort(random: Random = systemRandom): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = 20_000 + Math.floor(random.fraction() * 12_000)
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer()
      probe.once('error', () => resolve(false))
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
    })
    if (free) return port
  }
  throw new AppError('UNAVAILABLE', 'Found no free port for the embedded Postgres')
}

async function saysReady(pid: number, pgdata: string): Promise<boolean> {
  const lines = (await readFile(join(pgdata, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready'
}

/** An error of a statement is told to whoever sent it. Its text can quote values, which have no place in the log. */
export const isOfStatement = (line: string): boolean =>
  /^(ERROR|DETAIL|HINT|QUERY|CONTEXT|STATEMENT|LOCATION|BACKTRACE): {2}|^\t/.test(line)

function levelOf(line: string): 'info' | 'warn' | 'error' {
  if (/^(PANIC|could not|Cannot)/.test(line)) return 'error'
  return /^(WARNING|FATAL)/.test(line) ? 'warn' : 'info'
}
