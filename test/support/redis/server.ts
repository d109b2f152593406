import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Guardian } from '../kafka/guardian.ts'

/** A redis-server that keeps nothing on disk. All calls resolve when they have taken effect. */
export interface RedisServer {
  /** redis://host:port; the same in every life. */
  readonly url: string
  /** SIGKILL: with that everything in it is forgotten. */
  kill(): Promise<void>
  /** SIGSTOP: it holds its connections, takes new ones and answers nothing. */
  pause(): Promise<void>
  /** SIGCONT. */
  resume(): Promise<void>
  /** Again after kill(), empty, at the same address. */
  start(): Promise<void>
}

interface Setup {
  readonly program: string
  readonly port: number
  /** Made by the first start. */
  readonly folder: string
  /** Arguments, such as --requirepass. */
  readonly options: readonly string[]
}

const readyMs = 30_000
const outputLimit = 16 * 1024

/** @throws Error with the server's last words when it does not get ready */
export async function startServer(setup: Setup, guardian: Guardian): Promise<RedisServer> {
  const { program, port, folder, options } = setup
  await mkdir(folder)
  let child: ChildProcess | undefined
  let output = ''

  const start = async (): Promise<void> => {
    if (child) throw new Error(`the redis-server on ${port} runs already`)
    output = ''
    const memoryOnly = ['--save', '', '--appendonly', 'no', '--dir', folder]
    const args = ['--port', `${port}`, '--bind', '127.0.0.1', ...memoryOnly, ...options]
    // In a group of its own: Ctrl-C at the terminal is for the test to handle.
    const launched = spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const collect = (text: string): void => {
      output = (output + text).slice(-outputLimit)
    }
    launched.stdout.setEncoding('utf8').on('data', collect)
    launched.stderr.setEncoding('utf8').on('data', collect)
    const over = (): void => {
      if (launched.pid !== undefined) guardian.ended(launched.pid)
      if (child === launched) child = undefined
    }
    launched.once('exit', over).once('error', (error) => {
      collect(error.message)
      over()
    })
    child = launched
    if (launched.pid !== undefined) guardian.began(launched.pid)
    for (const end = performance.now() + readyMs; !(await answers(port)); await delay(20)) {
      if (!child) throw new Error(`${program} ended: ${output || 'it said nothing'}`)
      if (performance.now() > end) throw new Error(`${program} did not get ready: ${output}`)
    }
  }

  const kill = async (): Promise<void> => {
    const running = child
    if (!running) return
    running.kill('SIGKILL')
    if (running.exitCode === null && running.signalCode === null) await once(running, 'exit')
  }

  await start().catch(async (error: unknown) => {
    await kill()
    throw error
  })
  return {
    url: `redis://127.0.0.1:${port}`,
    kill,
    pause: async () => void child?.kill('SIGSTOP'),
    resume: async () => void child?.kill('SIGCONT'),
    start,
  }
}

/** Whether a Redis speaks there; one that wants a password first does too. */
async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    socket.write('PING\r\n')
    const [reply] = await once(socket.setEncoding('utf8'), 'data', { signal: AbortSignal.timeout(1_000) })
    return /^(\+PONG|-NOAUTH)/.test(String(reply))
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
