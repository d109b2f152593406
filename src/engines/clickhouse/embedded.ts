import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Logger, silentLogger } from '@splitstream/kernel'
import type { FileTree } from '../file-tree.ts'
import type { DetachedPart, FromChild, FromParent } from './child/messages.ts'
import { frozenFiles, frozenName, shadowOf } from './snapshot.ts'

export type { DetachedPart } from './child/messages.ts'

export interface EmbeddedClickHouseOptions {
  readonly dataDir: string
  /** Statements at once. */
  readonly sessions?: number
  readonly maxMemoryBytes?: number
  /** Told of each exit that was not asked for; the child is being started again. */
  readonly onExit?: (info: { code: number | null; signal: string | null; restarts: number }) => void
  readonly logger?: Logger
}

/**
 * The embedded ClickHouse: a supervised child process. States: starting → ready → (exited → restarting → ready)* →
 * stopped. It comes back on the same port with the same password, so that clients only see connections fail meanwhile.
 */
export interface EmbeddedClickHouse {
  readonly url: string
  readonly username: string
  readonly password: string
  readonly pid: number
  readonly restarts: number
  /** Broken parts that the engine put aside at start: their rows are missing until they are repaired from the log. */
  detachedParts(): Promise<readonly DetachedPart[]>
  dropDetachedPart(part: DetachedPart): Promise<void>
  /**
   * All tables as they are at one instant each, as files to be copied, for as long as `copy` runs. One at a time.
   * @param prefix the data directory's place in the copy
   * @throws Error when the engine exits meanwhile; the signal's reason when it is aborted
   */
  snapshot(prefix: string, copy: (tree: FileTree) => Promise<void>, signal: AbortSignal): Promise<void>
  /** Asks the engine to stop, and kills it after the deadline (it survives that). */
  stop(deadlineMs?: number): Promise<void>
}

const entry = fileURLToPath(new URL('./child/main.ts', import.meta.url))
const readyTimeoutMs = 60_000
const maxPauseMs = 5_000
const wellAfterMs = 60_000
const nextPause = (pause: number): number => Math.min(Math.max(pause * 2, 50), maxPauseMs)

/** @throws Error when the first start fails; later failures are retried for as long as the process lives. */
export async function startEmbeddedClickHouse(o: EmbeddedClickHouseOptions): Promise<EmbeddedClickHouse> {
  const username = 'splitstream'
  const password = randomBytes(24).toString('base64url')
  let port = 0
  let stopping = false
  let restarts = 0
  let questions = 0
  let child: ChildProcess
  let startedAt = 0
  const logger = o.logger ?? silentLogger

  const spawn = async (): Promise<void> => {
    // A running statement blocks a thread; opening and writing its pipe, and compression, need some as well.
    const sessions = o.sessions ?? 8
    child = fork(entry, [], {
      env: { UV_THREADPOOL_SIZE: String(3 * sessions + 8), TZ: 'UTC' },
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'json',
    })
    const start = {
      dataDir: join(o.dataDir, 'data'),
      runDir: join(o.dataDir, 'run'),
      port,
      username,
      password,
      sessions,
      maxMemoryBytes: o.maxMemoryBytes ?? 2 ** 31,
    }
    // Without a listener an error of the channel to a child that was just killed would end this process with it.
    child.on('error', (error) => logger.warn('the embedded ClickHouse cannot be talked to', { error: String(error) }))
    child.send({ kind: 'start', start } satisfies FromParent)
    port = await ready(child)
    startedAt = performance.now()
    child.once('exit', (code, signal) => {
      if (stopping) return
      logger.error('the embedded ClickHouse exited; it is started again', { code, signal })
      o.onExit?.({ code, signal, restarts })
      void restart()
    })
  }

  const restart = async (): Promise<void> => {
    // One that ran well comes back at once; one that dies young waits, so that a crash loop does not eat the machine.
    const young = performance.now() - startedAt < wellAfterMs
    for (let pause = young ? Math.min(50 * 2 ** restarts, 1_000) : 0; !stopping; pause = nextPause(pause)) {
      await sleep(pause)
      if (stopping) return
      restarts++
      try {
        await spawn()
        logger.info('the embedded ClickHouse is back', { restarts })
        return
      } catch (error) {
        logger.error('the embedded ClickHouse does not start', { error: String(error) })
      }
    }
  }

  type Question =
    | { kind: 'detached-parts' }
    | { kind: 'drop-detached'; part: DetachedPart }
    | { kind: 'freeze'; name: string }
  const ask = (question: Question, signal?: AbortSignal) => {
    const id = ++questions
    const { promise, resolve, reject } = Promise.withResolvers<readonly DetachedPart[]>()
    const onMessage = (message: FromChild): void => {
      if (message.kind !== 'answer' || message.id !== id) return
      if (message.error === undefined) resolve(message.parts)
      else reject(new Error(message.error))
    }
    const onExit = (): void => reject(new Error('the embedded ClickHouse exited'))
    const abort = (): void => reject(signal?.reason)
    const asked = child
    asked.on('message', onMessage).once('exit', onExit)
    signal?.addEventListener('abort', abort)
    asked.send({ ...question, id } satisfies FromParent)
    return promise.finally(() => {
      asked.off('message', onMessage).off('exit', onExit)
      signal?.removeEventListener('abort', abort)
    })
  }

  await spawn()
  return {
    url: `http://127.0.0.1:${port}`,
    username,
    password,
    get pid() {
      return child.pid ?? 0
    },
    get restarts() {
      return restarts
    },
    detachedParts: () => ask({ kind: 'detached-parts' }),
    dropDetachedPart: async (part) => {
      await ask({ kind: 'drop-detached', part })
    },
    snapshot: async (prefix, copy, signal) => {
      const dataDir = join(o.dataDir, 'data')
      const discard = () => rm(shadowOf(dataDir), { recursive: true, force: true })
      await discard()
      try {
        await ask({ kind: 'freeze', name: frozenName }, signal)
        await copy(await frozenFiles(dataDir, prefix))
      } finally {
        await discard()
      }
    },
    stop: async (deadlineMs = 5_000) => {
      stopping = true
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      if (child.connected) child.send({ kind: 'stop' } satisfies FromParent)
      const late = AbortSignal.timeout(deadlineMs)
      late.addEventListener('abort', () => child.kill('SIGKILL'))
      await exited
    },
  }
}

/** The port, once the child serves. @throws Error with the child's own words. */
async function ready(child: ChildProcess): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const timer = setTimeout(() => reject(new Error('the embedded ClickHouse was not ready in time')), readyTimeoutMs)
  const onMessage = (message: FromChild): void => {
    if (message.kind === 'ready') resolve(message.port)
    if (message.kind === 'failed') reject(new Error(`the embedded ClickHouse does not start: ${message.message}`))
  }
  const onExit = (code: number | null, signal: string | null): void =>
    reject(new Error(`the embedded ClickHouse exited at start (code ${code}, signal ${signal})`))
  child.on('message', onMessage).once('exit', onExit).once('error', reject)
  try {
    return await promise
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  } finally {
    clearTimeout(timer)
    child.off('message', onMessage).off('exit', onExit).off('error', reject)
  }
}
