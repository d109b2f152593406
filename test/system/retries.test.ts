import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningServer, startServer } from '../support/server.ts'

/* A retry is never stored twice: whatever time the event has, for good; with another time than before, while its key is known. */

let server: RunningServer

beforeAll(async () => {
  // A window so small that everything is looked up in the table.
  server = await startServer({ env: { SEEN_KEYS: '10000' } })
})
afterAll(() => server.stop())

async function ask(
  method: string,
  path: string,
  type: string,
  body: string,
): Promise<{ status: number; json: unknown }> {
  const headers = { authorization: `Bearer ${server.adminKey}`, 'content-type': type }
  const response = await fetch(`${server.url}${path}`, { method, headers, body })
  return { status: response.status, json: await response.json() }
}

async function count(source: string): Promise<unknown> {
  const query = { measures: [{ fn: 'count', as: 'n' }], filters: [{ field: 'source', op: 'eq', value: source }] }
  const { json } = await ask('POST', '/v1/query', 'application/json', JSON.stringify(query))
  return (json as { rows: unknown[] }).rows[0]
}

const times = [
  '1900-01-01T00:00:00Z',
  '1969-12-31T23:59:58.5Z',
  '1969-12-31T23:59:59.5Z',
  '1969-12-31T23:59:59.999999Z',
  '1970-01-01T00:00:00Z',
  '1970-01-01T00:00:00.000001Z',
  '1970-01-01T00:16:40Z',
  '1970-01-01T01:00:00Z',
  '1970-01-01T02:46:39.999999Z',
  '2001-09-09T01:46:40Z',
  '2026-01-01T00:00:00.123456Z',
  undefined,
]

describe('a retry', () => {
  it.each(times)('of an event of %s is stored once', async (time) => {
    const source = `/retries/${time}`
    const body = JSON.stringify({ id: '1', source, type: 't', ...(time && { time }) })
    for (let attempt = 0; attempt < 3; attempt++) {
      expect((await ask('POST', '/v1/events?wait=stored', 'application/json', body)).status).toBe(200)
    }
    expect(await count(source)).toEqual({ n: 1 })
  })

  it.each([
    ['with another time', { time: '2026-01-01T00:00:00Z' }, { time: '2026-01-01T00:00:07Z' }],
    ['with a time, where it had none', {}, { time: '2026-01-01T00:00:00Z' }],
    ['without a time, where it had one', { time: '2026-01-01T00:00:00Z' }, {}],
    ['with another subject, so perhaps in another partition', { subject: 'a' }, { subject: 'b' }],
    ['of tomorrow, with a time of today', { time: new Date(Date.now() + 80_000_000).toISOString() }, {}],
  ])('%s is stored once while its key is known', async (name, first, again) => {
    const source = `/retries/other/${name}`
    for (const attempt of [first, again, { ...again, subject: 'c' }, first]) {
      const body = JSON.stringify({ id: '1', source, type: 't', ...attempt })
      expect((await ask('POST', '/v1/events?wait=stored', 'application/json', body)).status).toBe(200)
    }
    expect(await count(source)).toEqual({ n: 1 })
  })

  it('of events that have left the window of recent keys is stored once, with a time and without one', async () => {
    const lines = (from: number, timed: boolean): string =>
      Array.from({ length: 10_000 }, (_, i) =>
        JSON.stringify({
          id: `${from + i}`,
          source: '/retries/window',
          type: 't',
          ...(timed && { time: new Date(1.7e12 + from + i).toISOString() }),
        }),
      ).join('\n')
    const send = async (from: number, timed: boolean): Promise<void> => {
      const { status } = await ask('POST', '/v1/events?wait=stored', 'application/x-ndjson', lines(from, timed))
      expect(status).toBe(200)
    }
    for (let batch = 0; batch < 4; batch++) await send(batch * 10_000, batch % 2 === 0)
    for (let batch = 0; batch < 4; batch++) await send(batch * 10_000, batch % 2 === 0)
    expect(await count('/retries/window')).toEqual({ n: 40_000 })
  })
})
