/* A data directory whose server ends, however it ends, and is started again; and short ways to fill it and to ask it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, expect } from 'vitest'
import { serverProcesses, signal } from '../chaos/processes.ts'
import { freePort, type RunningServer, startServer } from '../support/server.ts'

const key = 'lives-key-lives-key-lives-key-lives-key'
const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** Undone after the test; what came last, first. */
export const afterTest = (cleanup: () => Promise<unknown>): void => void cleanups.push(cleanup)

export async function newDataDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-lives-'))
  afterTest(() => rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }))
  return dir
}

/** A life that may not be ready yet, or never. */
export interface Life {
  readonly url: string
  /** @throws Error with the server's output when it ended before that. */
  readonly ready: Promise<RunningServer>
}

export async function begin(dataDir: string, env: Record<string, string> = {}): Promise<Life> {
  const port = await freePort()
  const ready = startServer({ dataDir, port, env: { ADMIN_KEY: key, LOG_LEVEL: 'info', ...env } })
  let pending = true
  const settled = ready.then(
    (server) => server,
    () => undefined, // it ended by itself; whoever waits for `ready` learns why
  )
  void settled.then(() => {
    pending = false
  })
  afterTest(async () => {
    const { main } = serverProcesses(dataDir)
    if (pending && main) signal(main.pid, 'SIGKILL') // its test has failed already
    await (await settled)?.stop()
  })
  return { url: `http://127.0.0.1:${port}`, ready }
}

export async function start(dataDir: string, env: Record<string, string> = {}): Promise<RunningServer> {
  return (await begin(dataDir, env)).ready
}

export function ask(url: string, method: string, path: string, body?: string, type = 'application/json') {
  return fetch(`${url}${path}`, {
    method,
    headers: { ...headers, 'content-type': type },
    ...(body !== undefined && { body }),
  })
}

/** Events n = from … from + count - 1 of one source, so of one log partition; `pad` bytes larger. */
export function post(url: string, from: number, count: number, { query = '?wait=stored', pad = 0 } = {}) {
  const text = 'x'.repeat(pad)
  const lines = Array.from({ length: count }, (_, i) => {
    const n = from + i
    return `{"id":"${n}","source":"/r","type":"t","time":"2026-01-01T00:00:00Z","data":{"n":${n},"pad":"${text}"}}`
  })
  return ask(url, 'POST', `/v1/events${query}`, lines.join('\n'), 'application/x-ndjson')
}

/** The same, stored when it returns. */
export async function send(url: string, from: number, count: number): Promise<void> {
  expect((await post(url, from, count)).status).toBe(200)
}

export interface Figures {
  readonly n: number
  readonly ids: number
  readonly sum: number
}

/** What is stored of the events that `post` makes. */
export async function figures(url: string): Promise<Figures> {
  const measures = [
    { fn: 'count', as: 'n' },
    { fn: 'uniq', field: 'id', as: 'ids' },
    { fn: 'sum', field: 'data.n', as: 'sum' },
  ]
  const response = await ask(url, 'POST', '/v1/query', JSON.stringify({ measures }))
  expect(response.status).toBe(200)
  return ((await response.json()) as { rows: Figures[] }).rows[0]!
}

/** The figures of events n = from … end - 1, each stored once. */
export const once = (from: number, end: number): Figures => ({
  n: end - from,
  ids: end - from,
  sum: ((end - from) * (from + end - 1)) / 2,
})

/** Asks again until there is an answer. @throws Error when none came in time. */
export async function poll<T>(question: () => Promise<T | undefined>, { everyMs = 100, withinMs = 20_000 } = {}) {
  for (const until = performance.now() + withinMs; ; ) {
    const found = await question().catch(() => undefined)
    if (found !== undefined) return found
    if (performance.now() > until) throw new Error(`nothing came within ${withinMs} ms`)
    await delay(everyMs)
  }
}
