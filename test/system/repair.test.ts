import { mkdtemp, readdir, readFile, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { freePort, type RunningServer, startServer } from '../support/server.ts'

const key = 'repair-key-repair-key-repair-key-repair'
const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function start(dataDir: string, env: Record<string, string> = {}): Promise<RunningServer> {
  const server = await startServer({ dataDir, env: { ADMIN_KEY: key, LOG_LEVEL: 'info', ...env } })
  cleanups.push(() => server.stop())
  return server
}

const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' }

async function send(server: RunningServer, from: number, count: number): Promise<void> {
  const lines = Array.from(
    { length: count },
    (_, i) => `{"id":"${from + i}","source":"/r","type":"t","time":"2026-01-01T00:00:00Z","data":{"n":${from + i}}}`,
  )
  const response = await fetch(`${server.url}/v1/events?wait=stored`, {
    method: 'POST',
    headers,
    body: lines.join('\n'),
  })
  expect(response.status).toBe(200)
}

async function figures(server: RunningServer): Promise<unknown> {
  const body = JSON.stringify({
    measures: [
      { fn: 'count', as: 'n' },
      { fn: 'uniq', field: 'id', as: 'ids' },
      { fn: 'sum', field: 'data.n', as: 'sum' },
    ],
  })
  const response = await fetch(`${server.url}/v1/query`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body,
  })
  return ((await response.json()) as { rows: unknown[] }).rows[0]
}

/** Cuts the data files of the biggest part of the events table short, as a bad disk would. */
async function damage(dataDir: string): Promise<void> {
  const root = join(dataDir, 'clickhouse', 'data')
  const files = (await readdir(root, { recursive: true })).filter((name) =>
    /store\/.*\/\d{6}_\d+_\d+_\d+[^/]*\/(data|_key)\.(bin|cmrk\d)$|store\/.*\/\d{6}_[^/]*\/_key\.bin$/.test(name),
  )
  expect(files.length).toBeGreaterThan(0)
  const sizes = await Promise.all(
    files
      .filter((f) => f.endsWith('.bin'))
      .map(async (name) => ({ name, size: (await readFile(join(root, name))).length })),
  )
  const biggest = sizes.sort((a, b) => b.size - a.size)[0]!
  await truncate(join(root, biggest.name), Math.floor(biggest.size / 2))
}

async function poll<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (const until = Date.now() + 20_000; ; ) {
    const found = await ask().catch(() => undefined)
    if (found !== undefined) return found
    if (Date.now() > until) throw new Error('nothing came')
    await setTimeout(100)
  }
}

describe('a damaged part, which the engine drops in silence', () => {
  it('is noticed at the start and brought back from the log', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'splitstream-repair-'))
    cleanups.push(() => rm(dir, { recursive: true, force: true }))
    const first = await start(dir)
    for (let i = 0; i < 3; i++) await send(first, i * 5000, 5000)
    const before = await figures(first)
    expect(before).toEqual({ n: 15_000, ids: 15_000, sum: (14_999 * 15_000) / 2 })
    await first.stop()
    await damage(dir)
    const second = await start(dir)
    expect(second.output()).toContain('rows are missing from the events table')
    expect(await figures(second)).toEqual(before)
    await send(second, 0, 5000) // and retries are still retries
    expect(await figures(second)).toEqual(before)
  })

  it('keeps the process from being ready when the log no longer has the events, until an operator acknowledges', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'splitstream-repair-'))
    cleanups.push(() => rm(dir, { recursive: true, force: true }))
    const first = await start(dir)
    await send(first, 0, 5000)
    await first.stop()
    const log = new DatabaseSync(join(dir, 'log', 'log.db'))
    log.exec('DELETE FROM partition_0; DELETE FROM partition_1')
    log.close()
    await damage(dir)
    const port = await freePort()
    const starting = startServer({ dataDir: dir, port, env: { ADMIN_KEY: key, LOG_LEVEL: 'info' } })
    cleanups.push(async () => (await starting).stop())
    const url = `http://127.0.0.1:${port}`
    const reason = await poll(async () => {
      const response = await fetch(`${url}/health/ready`)
      const body = (await response.json()) as { parts: { storage: { reason?: string } } }
      return response.status === 503 && body.parts.storage.reason?.includes('are gone')
        ? body.parts.storage.reason
        : undefined
    })
    expect(reason).toMatch(/\d+ stored events are gone/)
    const acknowledged = await fetch(`${url}/v1/losses/acknowledge`, {
      method: 'POST',
      headers: { authorization: headers.authorization },
    })
    expect(((await acknowledged.json()) as { acknowledgedEvents: number }).acknowledgedEvents).toBeGreaterThan(0)
    await starting // ready now
  })
})
