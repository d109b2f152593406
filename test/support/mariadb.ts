import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { debian, type Tool } from './debian.ts'
import { guardFolder } from './kafka/guardian.ts'
import { freePorts } from './kafka/ports.ts'

/** A real MariaDB on loopback, with everybody let in and nothing worth keeping. */
export interface RunningMariadb {
  readonly port: number
  /** Kills it and removes its folder. */
  stop(): Promise<void>
}

const readyMs = 60_000
const outputLimit = 16 * 1024

let found: Promise<Tool> | undefined
const mariadbd = (): Promise<Tool> => {
  found ??= debian('mariadbd', ['mariadb-server-core', 'libaio1', 'libnuma1', 'liburing2'])
  return found
}

/** Why there can be no MariaDB here; undefined when there can be. */
export const mariadbUnavailable = (): Promise<string | undefined> =>
  mariadbd().then(
    () => undefined,
    (error: Error) => `there is no mariadbd here: ${error.message}`,
  )

/** It ends with this process, however that ends. @throws Error with the server's last words when it does not get ready */
export async function startMariadb(): Promise<RunningMariadb> {
  const { program, env, usr } = await mariadbd()
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-mariadb-'))
  const guardian = guardFolder(folder)
  const data = join(folder, 'data')
  await mkdir(data)
  const [port] = await freePorts(1)
  const args = [
    '--no-defaults',
    `--user=${userInfo().username}`,
    `--datadir=${data}`,
    `--socket=${join(folder, 'socket')}`,
    '--bind-address=127.0.0.1',
    `--port=${port}`,
    // Without the tables of accounts, which a package's script would make.
    '--skip-grant-tables',
    '--innodb-buffer-pool-size=16M',
    '--innodb-flush-log-at-trx-commit=0',
    ...(usr === undefined ? [] : [`--lc-messages-dir=${join(usr, 'share/mysql')}`]),
  ]
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  let output = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-outputLimit)
  })
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', (error) => {
      output += error.message
      resolve()
    })
  })
  if (child.pid !== undefined) guardian.began(child.pid)
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
    await rm(folder, { recursive: true, force: true })
    guardian.dismiss()
  }
  for (const end = performance.now() + readyMs; !(await greets(port!)); await delay(50)) {
    if (isAlive(child) && performance.now() < end) continue
    await stop()
    throw new Error(`${program} did not get ready: ${output || 'it said nothing'}`)
  }
  return { port: port!, stop }
}

const isAlive = ({ pid, exitCode, signalCode }: ChildProcess): boolean =>
  pid !== undefined && exitCode === null && signalCode === null

/** The server speaks first. */
async function greets(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'data', { signal: AbortSignal.timeout(1_000) })
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
