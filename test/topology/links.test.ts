import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const path = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url))
const node = path('node_modules/node/bin/node')
const refusedMs = 2_000
const secret = { INTERNAL_SECRET: 'x'.repeat(32) }
const postgres = { POSTGRES_URL: 'postgres://user:pass@127.0.0.1:1/none' }
const kafka = { LINK_EVENTS: 'kafka://127.0.0.1:1' }
const storage = { LINK_STORAGE_READ: 'http://127.0.0.1:1' }
const ingest = { LINK_INGEST_APPEND: 'http://127.0.0.1:1' }

/** What is set, and the text that says what to do about it. */
const refused: readonly (readonly [string, Record<string, string>, string])[] = [
  ['query without storage', { MODULES: 'query' }, 'set LINK_STORAGE_READ=http://host:port'],
  ['ingest without storage', { MODULES: 'ingest', ...kafka }, 'set LINK_STORAGE_READ=http://host:port'],
  ['storage without ingest', { MODULES: 'storage', ...kafka }, 'set LINK_INGEST_APPEND=http://host:port'],
  ['no secret', { MODULES: 'query', ...storage, ...postgres }, 'set INTERNAL_SECRET'],
  ['no certificates', { MODULES: 'query', ...storage, ...postgres }, 'or INTERNAL_TLS_CERT, INTERNAL_TLS_KEY and'],
  [
    'a link over TLS alone',
    { MODULES: 'query', LINK_STORAGE_READ: 'https://127.0.0.1:1', ...secret, ...postgres },
    'LINK_STORAGE_READ=https://127.0.0.1:1 is called with a certificate: set INTERNAL_TLS_CERT',
  ],
  ['a certificate without a key', { INTERNAL_TLS_CERT: 'c', INTERNAL_TLS_CA: 'a' }, 'set INTERNAL_TLS_KEY, too'],
  ['names without certificates', { INTERNAL_TLS_NAMES: 'query' }, 'set INTERNAL_TLS_CERT and INTERNAL_TLS_KEY and'],
  ['no shared Postgres', { MODULES: 'query', ...storage, ...secret }, 'set POSTGRES_URL'],
  ['ingest, its log local', { MODULES: 'ingest', ...storage, ...secret, ...postgres }, 'set LINK_EVENTS=kafka://'],
  ['storage, its log local', { MODULES: 'storage', ...ingest, ...secret, ...postgres }, 'set LINK_EVENTS=kafka://'],
  ['a module that is none', { MODULES: 'ingest,qeury' }, 'MODULES'],
  ['a module twice', { MODULES: 'query,query' }, 'MODULES'],
  ['a link that is none', { LINK_STORAGE: 'http://127.0.0.1:1' }, 'LINK_STORAGE: there is no such setting'],
  ['a log of another kind', { LINK_EVENTS: 'redis://127.0.0.1:1' }, 'legal is local or kafka://host:port'],
  ['a link of another kind', { LINK_STORAGE_READ: 'ftp://127.0.0.1:1' }, 'legal is local, http://host:port'],
  ['a link with a path', { LINK_INGEST_APPEND: 'http://127.0.0.1:1/x' }, 'LINK_INGEST_APPEND'],
  ['a short secret', { INTERNAL_SECRET: 'short' }, 'INTERNAL_SECRET: found a value that is not shown'],
]

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-links-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Runs it with nothing but these settings, until it exits, or for 20 s. */
async function run(args: readonly string[], env: Record<string, string>) {
  const from = performance.now()
  const data = { DATA_DIR: join(folder, 'data'), PORT: '0' }
  const child = spawn(node, args, { cwd: folder, env: { PATH: '/usr/bin:/bin', HOME: folder, ...data, ...env } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const late = setTimeout(() => child.kill('SIGKILL'), 20_000)
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(late)
  return { code, output, ms: performance.now() - from }
}

describe.each(refused)('%s', (_, env, says) => {
  it('stops the start at once with what to set', async () => {
    const { code, output, ms } = await run([path('src/main.ts')], env)
    expect(output).toContain(says)
    expect(output).not.toMatch(/^\s+at /m)
    expect(code).toBe(2)
    expect(ms).toBeLessThan(refusedMs)
    await expect(access(join(folder, 'data'))).rejects.toThrow() // nothing was begun
  })

  it('is what `splitstream topology` says, too', async () => {
    const { code, output } = await run([path('src/cli/bin.ts'), 'topology'], env)
    expect(output).toContain(says)
    expect(code).toBe(2)
  })
})

it('`splitstream topology` prints what would run where, and no password', async () => {
  const env = { MODULES: 'storage,query', ...kafka, ...ingest, ...secret, ...postgres }
  const { code, output } = await run([path('src/cli/bin.ts'), 'topology'], env)
  expect(code).toBe(0)
  const lines = output.split('\n').map((line) => line.split(/\s{2,}/))
  expect(lines).toContainEqual(['modules here: storage, query'])
  expect(lines).toContainEqual(['served to other processes: storage.read'])
  expect(lines).toContainEqual(['events (consume)', 'kafka://127.0.0.1:1', 'LINK_EVENTS'])
  expect(lines).toContainEqual(['ingest.append', 'http://127.0.0.1:1', 'LINK_INGEST_APPEND'])
  expect(lines).toContainEqual(['storage.read', 'in process', 'LINK_STORAGE_READ'])
  expect(lines).toContainEqual(['ClickHouse', 'embedded, in DATA_DIR', 'CLICKHOUSE_URL'])
  expect(lines).toContainEqual(['Postgres', 'postgres://127.0.0.1:1', 'POSTGRES_URL'])
  expect(output).not.toContain('pass')
})
