import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/*
 * A Splitstream server as a child process, for the demo, the tests, the bench and the chaos harness.
 * States: spawned → ready (GET /health/ready answers 200) → exited. It may exit at any time; `exited` tells.
 * The child leads its own process group, so that nothing it started outlives a clean-up.
 */
export interface ServerOptions {
  /** Kept after stop. Absent: a temporary folder, removed by stop(). */
  dataDir?: string
  /** Absent: a free one. */
  port?: number
  /** Where it runs, which is where its `.env` is; default: here. */
  cwd?: string
  /** More settings for the child, on top of this process's environment. */
  env?: Record<string, string>
  /** Default 60,000 ms. */
  readyTimeoutMs?: number
  /** Ends the wait at once: a child that has said this will not be ready. */
  hopeless?: RegExp
  /** The main file to run; default: the one of this tree. */
  entry?: string
  /** What stands behind the main file on the command line. */
  args?: readonly string[]
  /** The Node binary; default: the one that runs this process. */
  node?: string
  /** Runs it as this user, who can read the tree and owns DATA_DIR; only root can. Default: as this process. */
  account?: { readonly uid: number; readonly gid: number }
  /** Told the child's process id before it is ready, for whoever has to end it when this process dies first. */
  onSpawn?: (pid: number) => void
}

export interface ServerExit {
  code: number | null
  signal: NodeJS.Signals | null
}

export interface RunningServer {
  readonly url: string
  readonly adminKey: string
  readonly pid: number
  readonly dataDir: string
  /** The last 256 KiB of what the child wrote to stdout and stderr. */
  output(): string
  /** Sends a signal to the main process only, not to its engines. */
  kill(signal: NodeJS.Signals): void
  /** SIGTERM, SIGKILL after 30 s; then ends what is left of its process group. Resolves with the exit code. */
  stop(): Promise<number | null>
  readonly exited: Promise<ServerExit>
}

const main = fileURLToPath(new URL('../main.ts', import.meta.url))
const outputLimit = 256 * 1024

/** A TCP port on loopback that nothing listens on right now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))))
    })
  })
}

/** Starts a server and waits until it is ready. @throws Error with the child's last output when it does not get there. */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const temporary = options.dataDir === undefined
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'splitstream-')))
  const port = options.port ?? (await freePort())
  const adminKey = options.env?.ADMIN_KEY ?? randomBytes(24).toString('hex')
  const url = `http://${options.env?.HOST || '127.0.0.1'}:${port}`
  const child = spawn(options.node ?? process.execPath, [options.entry ?? main, ...(options.args ?? [])], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...options.account,
    env: {
      ...inherited(),
      HOST: '127.0.0.1',
      ...options.env,
      PORT: String(port),
      DATA_DIR: dataDir,
      ADMIN_KEY: adminKey,
    },
  })
  if (child.pid !== undefined) options.onSpawn?.(child.pid)
  const output = collect(child)
  const exited = new Promise<ServerExit>((resolve, reject) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
    child.once('error', reject)
  })
  const killGroup = (): void => signalGroup(child.pid, 'SIGKILL')
  const atExit = (): void => {
    killGroup()
    if (temporary) rmSync(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
  process.once('exit', atExit)

  const stop = async (): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), 30_000)
    const exit = await exited
    clearTimeout(late)
    killGroup()
    process.off('exit', atExit)
    if (temporary) await rm(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
    return exit.code
  }

  try {
    await untilReady(url, exited, options.readyTimeoutMs ?? 60_000, () => options.hopeless?.test(output()) === true)
  } catch (error) {
    child.kill('SIGKILL')
    await stop().catch(() => null)
    throw new Error(`${error instanceof Error ? error.message : String(error)}; its last output:\n${output()}`)
  }
  return {
    url,
    adminKey,
    pid: child.pid ?? 0,
    dataDir,
    output,
    kill: (signal) => void child.kill(signal),
    stop,
    exited,
  }
}

async function untilReady(
  url: string,
  exited: Promise<ServerExit>,
  timeoutMs: number,
  isHopeless: () => boolean,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  let gone: ServerExit | undefined
  const watch = exited.then((exit) => {
    gone = exit
  })
  while (performance.now() < deadline) {
    if (await isReady(url)) return
    await Promise.race([delay(50), watch])
    if (isHopeless()) throw new Error('the server will not be ready')
    if (gone) throw new Error(`the server exited before it was ready (${gone.signal ?? gone.code})`)
  }
  throw new Error(`the server was not ready within ${timeoutMs} ms`)
}

/** True when a server answers there and says that it is ready. */
export async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) })
    await answer.arrayBuffer()
    return answer.status === 200
  } catch {
    return false // nobody listens yet, or it is too busy: the caller asks again until its deadline
  }
}

/** This process's environment, for the child (PATH, HOME, TMPDIR and the like); nothing is read from it here. */
function inherited(): NodeJS.ProcessEnv {
  // biome-ignore lint/style/noProcessEnv: handed on whole, not read
  return process.env
}

function collect(child: ChildProcess): () => string {
  let text = ''
  const add = (chunk: string): void => {
    text = (text + chunk).slice(-outputLimit)
  }
  child.stdout?.setEncoding('utf8').on('data', add)
  child.stderr?.setEncoding('utf8').on('data', add)
  return () => text
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // the whole group is gone already, which is what was wanted
  }
}
