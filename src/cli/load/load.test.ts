import { appendFile, copyFile, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Checkpoint } from './checkpoint.ts'
import { type LoadOptions, loadFile } from './load.ts'
import { type Fault, type Receiver, startReceiver } from './receiver.fixture.ts'

let folder: string
let receiver: Receiver
let file: string
const notes: string[] = []

async function start(name: string, content: string | Uint8Array, fault?: (n: number) => Fault): Promise<void> {
  receiver = await startReceiver(fault)
  file = join(folder, name)
  await writeFile(file, content)
}

const options = (more: Partial<LoadOptions> = {}): LoadOptions => ({
  url: receiver.url,
  key: 'k',
  path: file,
  batch: 10,
  inFlight: 3,
  retries: 5,
  timeoutMs: 5_000,
  gzip: false,
  restart: false,
  waitStoredMs: 1_000,
  onNote: (note) => void notes.push(note),
  ...more,
})

const rows = (n: number): string => Array.from({ length: n }, (_, i) => `{"n":${i}}\n`).join('')
const rowOf = (event: string): number => (JSON.parse(event) as { data: { n: number } }).data.n
const byRow = (a: string, b: string): number => rowOf(a) - rowOf(b)
const ids = (): string[] => receiver.events.map(({ id }) => String(id))
const checkpoint = async (): Promise<Checkpoint> =>
  JSON.parse(await readFile(`${file}.splitstream-load.json`, 'utf8')) as Checkpoint

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'splitstream-load-'))
  notes.length = 0
})
afterEach(async () => {
  await receiver.close()
  await rm(folder, { recursive: true, force: true })
})

describe('mapping', () => {
  test('CSV: types, nulls, quotes, a row with too few fields', async () => {
    const csv =
      '\ufefforder,at,who,amount,note,ok\n007,2024-02-03 04:05,ann,1.5,"a ""b"",\nc",true\n8,,,,,\nshort,x\n9.50,2024-02-03,bob,12345678901234567890,é,false\n'
    await start('orders.csv', csv)
    const summary = await loadFile(
      options({
        type: { value: 'order' },
        subject: { column: 'who' },
        timeFrom: 'at',
        idFrom: ['order', 'who'],
        time: '2020-01-01T00:00:00Z',
      }),
    )
    expect(summary).toMatchObject({ rows: 4, accepted: 3, rejected: 1, finished: true, visible: true })
    expect(summary.errors).toEqual([
      { row: 2, code: 'ROW_MALFORMED', detail: 'the row has 2 fields, the header has 6' },
    ])
    const common = { specversion: '1.0', type: 'order', source: '/files/orders' }
    expect(receiver.events).toEqual([
      {
        ...common,
        id: '007:ann',
        subject: 'ann',
        time: '2024-02-03T04:05:00Z',
        data: { amount: 1.5, note: 'a "b",\nc', ok: true },
      },
      { ...common, id: '8:%N', time: '2020-01-01T00:00:00Z', data: { amount: null, note: null, ok: null } },
      {
        ...common,
        id: '9.50:bob',
        subject: 'bob',
        time: '2024-02-03T00:00:00Z',
        data: { amount: '12345678901234567890', note: 'é', ok: false },
      },
    ])
  })

  test('NDJSON: malformed lines are reported by row, the rest goes in', async () => {
    const bad = Buffer.concat([
      Buffer.from('{"a":1,"who":"x"}\n\n{"a":\n[1]\n'),
      Buffer.from([0xff, 10]),
      Buffer.from('{"a":{"b":[1,null]},"who":"bad"}\n{"a":3}'),
    ])
    await start('things.jsonl', bad)
    const summary = await loadFile(options({ subject: { column: 'who' }, data: ['a'], idPrefix: 'row-' }))
    expect(summary).toMatchObject({ rows: 6, accepted: 2, rejected: 4 })
    expect(summary.errors.map(({ row, code }) => [row, code])).toEqual([
      [1, 'ROW_MALFORMED'],
      [2, 'ROW_MALFORMED'],
      [3, 'ROW_MALFORMED'],
      [4, 'EVENT_INVALID'],
    ])
    expect(receiver.events.map(({ id, data }) => [id, data])).toEqual([
      ['row-0', { a: 1 }],
      ['row-5', { a: 3 }],
    ])
  })

  test('CloudEvents go out as they are, from a compressed file and compressed again', async () => {
    const line = '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"big":1.10}}'
    await start('events.ndjson.gz', gzipSync(`${line}\r\n`))
    await loadFile(options({ asIs: true, gzip: true }))
    expect(receiver.events).toEqual([JSON.parse(line)])
  })

  test('a column that the file does not have is named', async () => {
    await start('a.csv', 'x,y\n1,2\n')
    await expect(loadFile(options({ timeFrom: 'when' }))).rejects.toThrow('no column "when"; it has: x, y')
  })
})

describe('a server that misbehaves', () => {
  test('429, 503, 507 and cut connections: every batch arrives', async () => {
    const faults: Fault[] = [
      { status: 429, retryAfter: '0' },
      'cut-before',
      undefined,
      { status: 503, retryAfter: '0' },
      'cut-after',
      { status: 507, retryAfter: '0' },
    ]
    await start('a.ndjson', rows(95), (n) => faults[n])
    const summary = await loadFile(options())
    expect(summary).toMatchObject({ rows: 95, accepted: 95, rejected: 0 })
    expect(new Set(ids()).size).toBe(95)
    expect(receiver.requests()).toBe(15)
  })

  test('Retry-After is kept to', async () => {
    await start('a.ndjson', rows(1), (n) => (n === 0 ? { status: 429, retryAfter: '1' } : undefined))
    const from = performance.now()
    await loadFile(options())
    expect(performance.now() - from).toBeGreaterThanOrEqual(990)
  })

  test('retries are bounded, and the next run goes on behind what was acknowledged', async () => {
    let broken = true
    await start('a.ndjson', rows(100), (n) => (broken && n >= 4 ? { status: 503, retryAfter: '0' } : undefined))
    await expect(loadFile(options({ retries: 1, inFlight: 1 }))).rejects.toThrow(
      'gave up after 2 attempts: 503 OVERLOADED',
    )
    expect(await checkpoint()).toMatchObject({ rows: 40, accepted: 40, finished: false })
    broken = false
    const summary = await loadFile(options({ inFlight: 1 }))
    expect(notes).toContain('going on at row 41')
    expect(summary).toMatchObject({ rows: 100, rowsThisRun: 60, accepted: 100, finished: true })
    expect(ids().length).toBe(100)
    expect(new Set(ids()).size).toBe(100)
  })

  test('a refusal is not repeated', async () => {
    await start('a.ndjson', rows(5), () => ({ status: 401 }))
    await expect(loadFile(options())).rejects.toThrow('401 OVERLOADED')
    expect(receiver.requests()).toBe(1)
  })
})

describe('checkpoint', () => {
  test('a file that was touched, has grown and is copied makes the same events of the same rows', async () => {
    await start('a.ndjson', rows(30))
    await loadFile(options())
    const first = receiver.events.map((event) => JSON.stringify(event))
    expect(receiver.events.every((event) => event.time === undefined)).toBe(true)
    await utimes(file, new Date(0), new Date(0))
    await loadFile(options())
    for (let n = 30; n < 60; n += 10) {
      await appendFile(file, `{"n":${n}}\n`.repeat(10))
      await loadFile(options())
    }
    expect(new Set(ids()).size).toBe(60)
    receiver.events.length = 0
    const copy = join(folder, 'copy')
    await mkdir(copy)
    for (const name of ['a.ndjson', 'a.ndjson.splitstream-load.json'])
      await copyFile(join(folder, name), join(copy, name))
    await loadFile(options({ path: join(copy, 'a.ndjson'), inFlight: 1 }))
    expect(receiver.events.slice(0, 30).map((event) => JSON.stringify(event))).toEqual(first.toSorted(byRow))
  })

  test('another file of the same name has ids of its own', async () => {
    await start('a.ndjson', rows(30))
    await loadFile(options())
    await writeFile(file, `{"n":-1}\n${rows(60)}`)
    await loadFile(options())
    expect(new Set(ids()).size).toBe(91)
  })

  test('after the end everything is sent again, with the same ids', async () => {
    await start('a.ndjson', rows(30))
    await loadFile(options())
    await loadFile(options())
    expect(receiver.events.length).toBe(60)
    expect(new Set(receiver.events.map((event) => JSON.stringify(event))).size).toBe(30)
  })

  test('a stop keeps what was acknowledged; another mapping or a changed file begins anew', async () => {
    const stop = new AbortController()
    await start('a.ndjson', rows(100))
    const first = await loadFile(
      options({ inFlight: 1, signal: stop.signal, onProgress: ({ rows: done }) => done >= 30 && stop.abort() }),
    )
    expect(first.finished).toBe(false)
    expect(first.rows).toBeLessThan(60)
    expect(await checkpoint()).toMatchObject({ rows: first.rows, finished: false })
    const other = await loadFile(options({ type: { value: 'other' }, checkpoint: join(folder, 'other.json') }))
    expect(other.rowsThisRun).toBe(100)
    await appendFile(file, rows(1))
    expect((await loadFile(options())).rowsThisRun).toBe(101)
    expect(notes.at(-1)).toContain('the file has changed')
  })

  test('a file that is no checkpoint is not overwritten', async () => {
    await start('a.ndjson', rows(1))
    await writeFile(`${file}.splitstream-load.json`, 'dear diary')
    await expect(loadFile(options())).rejects.toThrow('is not a load checkpoint')
    expect(await readFile(`${file}.splitstream-load.json`, 'utf8')).toBe('dear diary')
  })
})
