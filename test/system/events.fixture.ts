import { randomUUID } from 'node:crypto'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { expect } from 'vitest'
import type { RunningServer } from '../support/server.ts'

/** What POST /v1/events answers: a receipt, or a problem document, which has a code too. */
export interface Answer {
  readonly accepted: number
  readonly rejected: number
  readonly duplicates: number
  readonly repeated: readonly number[]
  readonly position: string
  readonly errors: readonly { readonly index: number; readonly code: string; readonly detail: string }[]
  readonly code?: string
}
export interface Event {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  readonly type: string
  readonly [attribute: string]: unknown
}
export interface Reply {
  readonly status: number
  readonly json: Answer
}
export interface Send {
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: string
}

export const ndjson = 'application/x-ndjson'

export const encodings: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  identity: (body) => body,
  gzip: (body) => gzipSync(body),
  deflate: (body) => deflateSync(body),
  br: (body) => brotliCompressSync(body),
  zstd: (body) => zstdCompressSync(body),
}

/** A source that no other test has. */
export const newSource = (): string => `/system/${randomUUID()}`

/** One tenant's view of the server, by a key of its own. */
export class Tenant {
  readonly #url: string
  readonly #key: string

  constructor(url: string, key: string) {
    this.#url = url
    this.#key = key
  }

  static async create(server: RunningServer, tenant: string): Promise<Tenant> {
    const response = await fetch(`${server.url}/v1/keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: tenant, tenant, scopes: ['ingest', 'query'] }),
    })
    expect(response.status).toBe(201)
    return new Tenant(server.url, ((await response.json()) as { key: string }).key)
  }

  async post(body: string | Buffer, { type, headers, query = 'wait=stored' }: Send = {}): Promise<Reply> {
    const response = await fetch(`${this.#url}/v1/events?${query}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.#key}`,
        ...(type !== undefined && { 'content-type': type }),
        ...headers,
      },
      body: Buffer.from(body), // of bytes, fetch makes no Content-Type
    })
    return { status: response.status, json: (await response.json()) as Answer }
  }

  async get(parameters: Record<string, string>): Promise<{ status: number; code?: string; events: Event[] }> {
    const response = await fetch(`${this.#url}/v1/events?${new URLSearchParams(parameters)}`, {
      headers: { authorization: `Bearer ${this.#key}` },
    })
    return { status: response.status, ...((await response.json()) as { code?: string; events: Event[] }) }
  }

  /** The events of a source by id, as they are visible now, or once `after` is. */
  async events(source: string, after = ''): Promise<Event[]> {
    const { status, events } = await this.get({ source, after, limit: '10000' })
    expect(status).toBe(200)
    return events.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  async ids(source: string, after = ''): Promise<string[]> {
    return (await this.events(source, after)).map(({ id }) => id)
  }

  /**
   * The ids that are there once everything sent before is stored: one more event of the source goes the same way (the order
   * of a source is kept), and is left out of the answer.
   */
  async settledIds(source: string): Promise<string[]> {
    const last = JSON.stringify({ specversion: '1.0', id: '~last', source, type: 't' })
    expect((await this.post(last, { type: 'application/json' })).status).toBe(200)
    const ids = await this.ids(source)
    expect(ids).toContain('~last')
    return ids.filter((id) => id !== '~last')
  }
}

/** The JSON text of an event; members are JSON texts, and undefined leaves one out. */
export function eventText(source: string, members: Readonly<Record<string, string | undefined>> = {}): string {
  const all = { specversion: '"1.0"', id: '"bad"', source: JSON.stringify(source), type: '"t"', ...members }
  const texts = Object.entries(all).map(([name, value]) =>
    value === undefined ? [] : [`${JSON.stringify(name)}:${value}`],
  )
  return `{${texts.flat().join(',')}}`
}

export const good = (source: string, id: string): string => eventText(source, { id: JSON.stringify(id) })

export const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)

/** Makes the text of an event of a source. */
export type Text = (source: string) => string
export const having =
  (members: Record<string, string | undefined>): Text =>
  (source) =>
    eventText(source, members)
export const data = (json: string): Text => having({ data: json })
export const timed = (time: string): Text => having({ time: JSON.stringify(time) })
/** The event with more members at its end, which may repeat others. */
export const more =
  (members: string): Text =>
  (source) =>
    `${eventText(source).slice(0, -1)},${members}}`
export const members = (count: number): string =>
  `{${Array.from({ length: count }, (_, i) => `"${i.toString(36)}":0`).join(',')}}`

/** A name, the code of its error, and the event. */
export type BadEvent = readonly [name: string, code: string, text: Text]

/** What is not JSON: in NDJSON it costs a line, and a JSON body as a whole. */
export const malformed: readonly BadEvent[] = [
  ['an object that is cut off', 'EVENT_MALFORMED', (source) => eventText(source).slice(0, -1)],
  ['a string that is cut off', 'EVENT_MALFORMED', (source) => `${eventText(source).slice(0, -1)},"data":"x`],
  ['no JSON at all', 'EVENT_MALFORMED', () => 'id=1&type=t'],
  ['a trailing comma', 'EVENT_MALFORMED', (source) => `${eventText(source).slice(0, -1)},}`],
  ['single quotes', 'EVENT_MALFORMED', (source) => eventText(source).replaceAll('"', "'")],
  ['trailing garbage', 'EVENT_MALFORMED', (source) => `${eventText(source)} x`],
  ['a second event on the line', 'EVENT_MALFORMED', (source) => `${eventText(source)}${eventText(source)}`],
  ['a comment', 'EVENT_MALFORMED', (source) => `${eventText(source)} // no`],
  ['a raw NUL', 'EVENT_MALFORMED', data('"a\u0000b"')],
  ['a raw tab in a string', 'EVENT_MALFORMED', data('"a\tb"')],
  ['a raw tab in id (B15)', 'EVENT_MALFORMED', having({ id: '"a\tb"' })],
  ['an unknown escape', 'EVENT_MALFORMED', data('"\\x41"')],
  ['a short \\u escape', 'EVENT_MALFORMED', data('"\\u12"')],
  ...['01', '+1', '.5', '1.', '1e', '-', '0x10', 'NaN', 'Infinity', 'True', 'undefined'].map(
    (json): BadEvent => [`data ${json}`, 'EVENT_MALFORMED', data(json)],
  ),
  ['a BOM', 'EVENT_MALFORMED', (source) => `\ufeff${eventText(source)}`],
  ['a depth of 33 (B8)', 'EVENT_TOO_DEEP', data(nested(32))],
  ['a depth of 45,000 (B8)', 'EVENT_TOO_DEEP', data(nested(45_000))],
  ['a depth of 15,000 objects, not closed (B8)', 'EVENT_TOO_DEEP', data('{"a":'.repeat(15_000))],
]
