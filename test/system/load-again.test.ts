import { appendFile, copyFile, mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LoadOptions, loadFile } from '../../src/cli/load/load.ts'
import { type RunningServer, startServer } from '../support/server.ts'

/* A file that is loaded again stores only what is new in it, whatever became of the file meanwhile. */

let server: RunningServer
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-load-again-'))
  // The second load finds nothing in the index of recent keys: all has left its window.
  server = await startServer({ env: { SEEN_KEYS: '10000' } })
})
afterAll(async () => {
  await server?.stop()
  await rm(folder, { recursive: true, force: true })
})

async function load(path: string, more: Partial<LoadOptions> = {}): Promise<void> {
  const summary = await loadFile({
    url: server.url,
    key: server.adminKey,
    path,
    batch: 5_000,
    inFlight: 2,
    retries: 5,
    timeoutMs: 30_000,
    gzip: false,
    restart: false,
    waitStoredMs: 60_000,
    ...more,
  })
  expect(summary).toMatchObject({ rejected: 0, finished: true, visible: true })
}

async function stored(type: string): Promise<{ n: number; ids: number; sum: number }> {
  const query = {
    measures: [
      { fn: 'count', as: 'n' },
      { fn: 'uniq', field: 'id', as: 'ids' },
      { fn: 'sum', field: 'data.n', as: 'sum' },
    ],
    filters: [{ field: 'type', op: 'eq', value: type }],
  }
  const headers = { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' }
  const response = await fetch(`${server.url}/v1/query`, { method: 'POST', headers, body: JSON.stringify(query) })
  const { rows } = (await response.json()) as { rows: { n: number; ids: number; sum: number }[] }
  return rows[0]!
}

const once = (rows: number) => ({ n: rows, ids: rows, sum: (rows * (rows - 1)) / 2 })
const lines = (from: number, to: number, when: (n: number) => string): string =>
  Array.from({ length: to - from }, (_, i) => `${from + i},${when(from + i)}\n`).join('')

it.each([
  { name: 'few rows', type: 'few', rows: 20, more: 5, when: () => '', options: {} },
  { name: 'rows that have left the window', type: 'many', rows: 21_000, more: 100, when: () => '', options: {} },
  {
    name: 'rows of which every other one has a time',
    type: 'timed',
    rows: 3_000,
    more: 100,
    when: (n: number) => (n % 2 === 0 ? '' : new Date(1.7e12 + n).toISOString()),
    options: { timeFrom: 'at' },
  },
  {
    name: 'rows that are given a time',
    type: 'given',
    rows: 3_000,
    more: 100,
    when: () => '',
    options: { time: '2026-01-01T00:00:00Z' },
  },
])('$name: touched, grown, copied', async ({ type, rows, more, when, options }) => {
  const path = join(folder, `${type}.csv`)
  await writeFile(path, `n,at\n${lines(0, rows, when)}`)
  await load(path, options)
  expect(await stored(type)).toEqual(once(rows))

  await utimes(path, new Date(1e12), new Date(1e12))
  await load(path, options)
  expect(await stored(type), 'touched').toEqual(once(rows))

  await appendFile(path, lines(rows, rows + more, when))
  await load(path, options)
  expect(await stored(type), 'grown').toEqual(once(rows + more))

  const copy = join(folder, `copy-${type}`)
  await mkdir(copy)
  for (const ending of ['', '.splitstream-load.json']) {
    await copyFile(`${path}${ending}`, join(copy, `${type}.csv${ending}`))
  }
  await load(join(copy, `${type}.csv`), options)
  expect(await stored(type), 'copied').toEqual(once(rows + more))
})
