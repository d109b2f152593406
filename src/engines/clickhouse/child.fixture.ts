/* A started child for a test file, and short ways to ask it. Importing this starts and stops it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@clickhouse/client'
import { afterAll, beforeAll, expect } from 'vitest'
import { type EmbeddedClickHouse, startEmbeddedClickHouse } from './embedded.ts'

export let dir: string
export let engine: EmbeddedClickHouse
export let client: ReturnType<typeof createClient>

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-ch-'))
  engine = await startEmbeddedClickHouse({ dataDir: dir })
  client = createClient({
    url: engine.url,
    username: engine.username,
    password: engine.password,
    max_open_connections: 24,
    log: { level: 127 as never },
  })
}, 60_000)

afterAll(async () => {
  await client.close()
  await engine.stop()
  await rm(dir, { recursive: true, force: true })
})

export const rows = async <T>(query: string, query_params?: Record<string, unknown>): Promise<T[]> =>
  (await client.query({ query, format: 'JSONEachRow', ...(query_params && { query_params }) })).json<T>()

export const value = async (query: string): Promise<string> => (await rows<{ v: unknown }>(query))[0]!.v as string

export const running = async (text: string): Promise<number> =>
  (await rows<{ q: string }>('SELECT query AS q FROM system.processes')).filter(({ q }) => q.includes(text)).length

export const post = (
  query: string,
  body?: string | Buffer<ArrayBuffer>,
  more: Record<string, string> = {},
  params = '',
) =>
  fetch(`${engine.url}/?query=${encodeURIComponent(query)}${params}`, {
    method: 'POST',
    ...(body !== undefined && { body }),
    headers: { 'X-ClickHouse-User': engine.username, 'X-ClickHouse-Key': engine.password, ...more },
  })

export const bytes = async (sql: string): Promise<Buffer> => Buffer.from(await (await post(sql)).arrayBuffer())

/** Sends a part of an insert and then breaks the connection. */
export async function cutOff(
  sql: string,
  part: Buffer,
  afterMs: number,
  headers: Record<string, string> = {},
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const insert = request(`${engine.url}/?query=${encodeURIComponent(sql)}`, {
    method: 'POST',
    auth: `${engine.username}:${engine.password}`,
    headers,
  })
  insert.on('error', () => resolve()).on('close', () => resolve())
  insert.write(part)
  await sleep(afterMs)
  insert.destroy()
  await promise
}

export async function idle(): Promise<void> {
  const until = performance.now() + 5_000
  while ((await running('INFILE')) > 0 && performance.now() < until) await sleep(5)
  expect(await running('INFILE')).toBe(0)
}
