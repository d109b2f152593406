import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask, type Connection } from '../../src/cli/api.ts'
import { flightsMapping } from '../../src/cli/flights.ts'
import { type LoadSummary, loadFile } from '../../src/cli/load/load.ts'
import type { QueryAnswer } from '../../src/cli/table.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { cases } from './cases.ts'
import { type Flights, flightsPath, readFlights } from './columns.ts'
import { answer, type Query, type Row, select } from './oracle.ts'

/* Three million flights in over HTTP; every answer about them equals the one computed from the file. */

interface Event {
  id: string
  time: string
  subject: string
  data: { delay: number; distance: number; origin: string; destination: string }
}

let scratch: string
let server: RunningServer
let connection: Connection
let flights: Flights
let first: LoadSummary
let position: string | undefined

const load = (restart: boolean): Promise<LoadSummary> =>
  loadFile({
    ...connection,
    ...flightsMapping,
    path: fileURLToPath(flightsPath),
    batch: 5_000,
    inFlight: 4,
    retries: 20,
    timeoutMs: 60_000,
    gzip: false,
    checkpoint: join(scratch, 'checkpoint.json'),
    restart,
    waitStoredMs: 150_000,
  })

const ours = { field: 'source', op: 'eq', value: '/flights/us' } as const

const query = (q: Query): Promise<QueryAnswer> =>
  ask<QueryAnswer>(connection, 'POST', '/v1/query', { ...q, ...(position === undefined ? {} : { after: position }) })

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'splitstream-flights-'))
  server = await startServer()
  connection = { url: server.url, key: server.adminKey }
  flights = await readFlights()
  first = await load(true)
  position = first.position
}, 240_000)

afterAll(async () => {
  await server?.stop()
  await rm(scratch, { recursive: true, force: true })
}, 60_000)

describe('three million flights', () => {
  test('go in over HTTP, all of them', () => {
    expect(first).toMatchObject({ rows: 3_000_000, accepted: 3_000_000, rejected: 0, finished: true, visible: true })
    expect(flights.rows).toBe(3_000_000)
  })

  test('a second time, which stores nothing twice', { timeout: 240_000 }, async () => {
    const summary = await load(false)
    expect(summary).toMatchObject({ rowsThisRun: 3_000_000, accepted: 3_000_000, rejected: 0, visible: true })
    const counted = { measures: [{ fn: 'count', as: 'n' }], after: summary.position }
    expect((await ask<QueryAnswer>(connection, 'POST', '/v1/query', counted)).rows).toEqual([{ n: 3_000_000 }])
  })

  test.each(Object.entries(cases))('%s', { timeout: 60_000 }, async (_name, q) => {
    const { rows, columns } = await query(q)
    const expected = answer(flights, q)
    expect(columns.map(({ name }) => name).toSorted()).toEqual(columnsOf(q))
    expect(rows.length).toBe(expected.length)
    for (const [i, row] of expected.entries()) compare(rows[i] ?? {}, row, `row ${i}`)
  })

  test('the list of the newest ones, page by page', { timeout: 60_000 }, async () => {
    const filters = [ours, { field: 'data.delay', op: 'gt', value: 600 } as const]
    const expected = select(flights, { filters }).map((i) => shown(i))
    const listed: Event[] = []
    let cursor: string | null = null
    do {
      const page: { events: Event[]; next: string | null } = await list({
        where: 'data.delay>600',
        limit: '40',
        cursor,
      })
      listed.push(...page.events)
      cursor = page.next
    } while (cursor !== null && listed.length <= expected.length)
    const times = listed.map(({ time }) => Date.parse(time))
    expect(times).toEqual(times.toSorted((a, b) => b - a))
    expect(listed.map(textOf).toSorted()).toEqual(expected.toSorted())
  })

  test('the list of a subject in a range', { timeout: 60_000 }, async () => {
    const range = { from: '2001-02-01T00:00:00Z', to: '2001-02-02T00:00:00Z' }
    const expected = select(flights, { range, filters: [{ field: 'subject', op: 'eq', value: 'SFO' }] }).map(shown)
    const { events } = await list({ type: 'flight', subject: 'SFO', ...range, limit: '1000' })
    expect(events.map(textOf).toSorted()).toEqual(expected.toSorted())
  })

  test('the newest events of all', { timeout: 60_000 }, async () => {
    const { events } = await list({ source: '/flights/us', limit: '500' })
    const newest = flights.time.toSorted().subarray(-500).toReversed()
    expect(events.map(({ time }) => Date.parse(time))).toEqual([...newest])
  })
})

function list(given: Record<string, string | null>): Promise<{ events: Event[]; next: string | null }> {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(given)) if (value !== null) parameters.set(name, value)
  if (position !== undefined) parameters.set('after', position)
  return ask(connection, 'GET', `/v1/events?${parameters}`)
}

/** A flight and an event as the same text. */
function shown(i: number): string {
  const { time, delay, distance, origin, destination } = flights
  const from = origin.texts[origin.codes[i]!]
  return [time[i], from, delay[i], distance[i], from, destination.texts[destination.codes[i]!]].join(' ')
}

function textOf({ time, subject, data }: Event): string {
  return [Date.parse(time), subject, data.delay, data.distance, data.origin, data.destination].join(' ')
}

const columnsOf = (q: Query): string[] =>
  [...(q.interval ? ['time'] : []), ...(q.groupBy ?? []), ...q.measures.map(({ as }) => as)].toSorted()

/** Equal, floats within 1e-9 of their size. */
function compare(found: Readonly<Record<string, unknown>>, expected: Row, place: string): void {
  for (const [name, value] of Object.entries(expected)) {
    const actual = found[name]
    if (name === 'time') expect(Date.parse(String(actual)), `${place}, ${name}`).toBe(Date.parse(String(value)))
    else if (typeof value === 'number' && typeof actual === 'number' && !Number.isInteger(value)) {
      expect(Math.abs(actual - value), `${place}, ${name}: ${actual} for ${value}`).toBeLessThanOrEqual(
        1e-9 * Math.abs(value),
      )
    } else expect(actual, `${place}, ${name}`).toEqual(value)
  }
}
