/* What the tests of readiness share: a process on engines that they can break, and a watch on what it says of itself. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { startEmbeddedClickHouse } from '../../src/engines/clickhouse/embedded.ts'
import { connectPostgres } from '../../src/engines/postgres/driver.ts'
import { startEmbeddedPostgres } from '../../src/engines/postgres/embedded.ts'
import { childrenOf } from '../chaos/processes.ts'
import { type Look, look } from '../support/readiness.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.fixture.ts'

export { type Look, look, watchFor } from '../support/readiness.ts'

/** For starts and stops on a machine that has other work too, ms. */
export const patienceMs = 150_000

/** Within which readiness has to turn red, ms. */
export const redWithinMs = 15_000

/** Breaks something; what it returns mends it again. */
export type Wedge = () => Promise<() => Promise<unknown>>

export interface Expected {
  /** Named within 15 s, in the part and the words. */
  readonly cause: RegExp
  /** How long it may take to be well again, ms; 40,000 when not given. */
  readonly greenWithinMs?: number
}

/** Injects a wedge: readiness has to be red within 15 s with its cause, and green again once it is mended. */
export async function inject(name: string, url: string, wedge: Wedge, { cause, greenWithinMs = 40_000 }: Expected) {
  expect(await look(url)).toEqual({ ready: true, cause: '' })
  const from = performance.now()
  const mend = await wedge()
  let mended = false
  try {
    const red = await until(url, redWithinMs - (performance.now() - from), (seen) => cause.test(seen.cause))
    const redMs = Math.round(performance.now() - from)
    expect(red.ready).toBe(false)
    mended = true
    await mend()
    const healed = performance.now()
    await until(url, greenWithinMs, ({ ready }) => ready)
    const greenMs = Math.round(performance.now() - healed)
    process.stderr.write(`${name}: red after ${redMs} ms, green ${greenMs} ms after it was mended; ${red.cause}\n`)
  } finally {
    if (!mended) {
      await mend()
      // The next one begins when all is well.
      await until(url, greenWithinMs, ({ ready }) => ready).catch(() => undefined)
    }
  }
}

async function until(url: string, ms: number, is: (seen: Look) => boolean): Promise<Look> {
  for (const end = performance.now() + ms; ; await delay(100)) {
    const seen = await look(url)
    if (is(seen)) return seen
    if (performance.now() > end) {
      const health = await fetch(`${url}/health`).then((answer) => answer.text(), String)
      throw new Error(`not seen within ${Math.round(ms)} ms: ${JSON.stringify(seen)}; health is ${health}`)
    }
  }
}

/** A process, and servers outside of it that can be broken. */
export interface Rig {
  readonly server: RunningServer
  readonly url: string
  readonly clickhouse: FaultProxy
  /** Of Postgres and all that it has started. */
  postgresPids(): number[]
  /** Runs a statement on Postgres, as its superuser. */
  postgres(statement: string): Promise<void>
  /** Runs a statement on ClickHouse, past the proxy. */
  sql(statement: string): Promise<void>
  /** A lock on tables that nobody gets past, as a wedge. */
  lock(...tables: string[]): Wedge
  api(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>
  /** Sends one event that nobody waits for. */
  event(attributes?: object): Promise<void>
  stop(): Promise<void>
}

export async function startRig(env: Record<string, string> = {}): Promise<Rig> {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-wedges-'))
  const [postgres, engine] = await Promise.all([
    startEmbeddedPostgres({ dataDir: join(dir, 'postgres') }),
    startEmbeddedClickHouse({ dataDir: join(dir, 'clickhouse') }),
  ])
  const clickhouse = await startFaultProxy(engine.url)
  const access = new URL(clickhouse.origin)
  access.username = engine.username
  access.password = engine.password
  access.pathname = '/splitstream'
  const server = await startServer({
    env: { LOG_LEVEL: 'warn', STORAGE_LINGER_MS: '0', CLICKHOUSE_URL: access.href, POSTGRES_URL: postgres.url, ...env },
  })
  const admin = connectPostgres({ url: postgres.url, applicationName: 'wedges', max: 4 })
  const api: Rig['api'] = (method, path, body, headers) =>
    fetch(server.url + path, {
      method,
      headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  let events = 0
  return {
    server,
    url: server.url,
    clickhouse,
    postgresPids: () => [postgres.pid, ...childrenOf(postgres.pid)],
    postgres: async (statement) => {
      await admin.query(statement)
    },
    sql: async (statement) => {
      const headers = { 'x-clickhouse-user': engine.username, 'x-clickhouse-key': engine.password }
      const answer = await fetch(`${engine.url}/?database=splitstream`, { method: 'POST', headers, body: statement })
      if (!answer.ok) throw new Error(await answer.text())
    },
    lock:
      (...tables) =>
      async () => {
        const locked = Promise.withResolvers<void>()
        const release = Promise.withResolvers<void>()
        const done = admin.tx(async (tx) => {
          await tx.query(`LOCK TABLE ${tables.join(', ')} IN ACCESS EXCLUSIVE MODE`)
          locked.resolve()
          await release.promise
        })
        done.catch(locked.reject)
        await locked.promise
        return async () => {
          release.resolve()
          await done
        }
      },
    api,
    event: async (attributes) => {
      const event = { id: `w${events++}`, source: '/wedges', type: 'wedge', ...attributes }
      const answer = await api('POST', '/v1/events', event)
      expect(answer.status).toBe(202)
    },
    stop: async () => {
      clickhouse.set(undefined)
      await server.stop()
      await admin.close()
      await Promise.all([clickhouse.stop(), engine.stop(), postgres.stop()])
      await rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
    },
  }
}
