import { AppError, systemCall, systemClock } from '@splitstream/kernel'
import type { FollowInput, FollowPage, StorageRead } from '@splitstream/storage/contract'
import { beforeEach, describe, expect, it } from 'vitest'
import { queryModule } from './query-module.fixture.ts'

/* What the route makes of storage's pages. That storage gives each event once is tested there. */

let asked: FollowInput[]
/** What each next stream of storage gives; the last one stays open, and stands for all that follow. */
let streams: (readonly (FollowPage | AppError)[])[]

const storage = {
  follow: async (input: FollowInput) => {
    asked.push(input)
    return pages(streams[asked.length - 1] ?? streams.at(-1)!, asked.length >= streams.length)
  },
} as Partial<StorageRead> as StorageRead

async function* pages(given: readonly (FollowPage | AppError)[], stays: boolean): AsyncGenerator<FollowPage> {
  for (const page of given) {
    if (page instanceof AppError) throw page
    yield page
  }
  if (stays) await new Promise(() => {})
}

const { routes } = queryModule(storage)
const route = routes.find(({ path }) => path === '/v1/events/stream')!
const page = (position: string, ...ids: string[]): FollowPage => ({
  position,
  events: ids.map((id, i) => ({ event: { id }, position: `p1-0.${i + 1}` })),
})

async function open(
  query: Record<string, string> = {},
  more: { lastEventId?: string; stopping?: AbortSignal; signal?: AbortSignal } = {},
) {
  const { lastEventId, stopping, signal = new AbortController().signal } = more
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
  const request = { params: {}, query, headers, mediaType: '', body: new Uint8Array(0) }
  const call = systemCall(systemClock, 5_000, signal, 'acme')
  const answer = await route.handle({ ...request, ...(stopping && { stopping }) }, call)
  return (answer.bytes as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
}

/** What came until it holds `until`, or to the end. The stream is left then. */
async function read(bytes: AsyncIterator<Uint8Array>, until?: string): Promise<string> {
  let text = ''
  for (let step = await bytes.next(); !step.done; step = await bytes.next()) {
    text += Buffer.from(step.value).toString()
    if (until !== undefined && text.includes(until)) break
  }
  await bytes.return?.()
  return text
}

beforeEach(() => {
  asked = []
})

describe('GET /v1/events/stream', () => {
  it('says when to come back and where it stands, then the events', async () => {
    streams = [[page('p1-0.0'), page('p1-0.2-1.7', 'a', 'b'), page('p1-0.2-1.9')]]
    const text = await read(await open({ type: 't', where: 'data.n>1' }), '1.9\n\n')
    expect(text).toBe(
      'retry: 1000\n\nid: p1-0.0\n\nid: p1-0.1\ndata: {"id":"a"}\n\nid: p1-0.2\ndata: {"id":"b"}\n\nid: p1-0.2-1.7\n\nid: p1-0.2-1.9\n\n',
    )
    expect(asked).toEqual([
      {
        filters: [
          { field: 'type', op: 'eq', value: 't' },
          { field: 'data.n', op: 'gt', value: 1 },
        ],
      },
    ])
  })

  it('begins behind `after`, and where a client that comes back was', async () => {
    streams = [[page('p1-0.5')], [page('p1-0.6')]]
    await read(await open({ after: 'p1-0.5' }), '0.5')
    await read(await open({ after: 'p1-0.5' }, { lastEventId: 'p1-0.6-1.2' }), '0.6')
    expect(asked).toEqual([
      { filters: [], from: 'p1-0.5', unnamed: 'new' },
      { filters: [], from: 'p1-0.6-1.2', unnamed: 'all' },
    ])
    await expect(open({}, { lastEventId: 'p1-7.1' })).rejects.toMatchObject({ code: 'POSITION_INVALID' })
  })

  it('goes on from the last page when storage ends the stream or loses it', async () => {
    const lost = new AppError('UNKNOWN_OUTCOME', 'The stream broke off')
    streams = [
      [page('p1-0.0'), page('p1-0.1', 'a')],
      [page('p1-0.1'), lost],
      [page('p1-0.1'), page('p1-0.2', 'b')],
    ]
    const text = await read(await open(), '"b"')
    expect(text.match(/^data: .*$/gm)).toEqual(['data: {"id":"a"}', 'data: {"id":"b"}'])
    expect(asked.slice(1)).toEqual([
      { filters: [], from: 'p1-0.1', unnamed: 'all' },
      { filters: [], from: 'p1-0.1', unnamed: 'all' },
    ])
  })

  it('says what no repetition helps, and ends', async () => {
    streams = [[page('p1-0.0'), new AppError('QUERY_TOO_COSTLY', 'too much')]]
    const text = await read(await open())
    expect(text).toContain('event: problem\ndata: {"code":"QUERY_TOO_COSTLY","detail":"too much"}\n\n')
  })

  it('answers with the problem when there is no stream', async () => {
    streams = [[new AppError('UNAVAILABLE', 'The store cannot answer now')]]
    await expect(open()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(open({ where: 'n' })).rejects.toMatchObject({ code: 'REQUEST_INVALID' })
  })

  it('has so many places, and gives back those of streams that nobody read or waited for', async () => {
    streams = [[page('p1-0.0')]]
    const unread = await open()
    await expect(open()).rejects.toMatchObject({
      code: 'OVERLOADED',
      message: expect.stringContaining('QUERY_MAX_STREAMS'),
    })
    await unread.return?.()
    const gone = new AbortController()
    gone.abort()
    await expect(open({}, { signal: gone.signal })).rejects.toMatchObject({ code: 'CANCELLED' })
    await (await open()).return?.()
    expect(asked.length).toBeGreaterThan(1)
  })

  it('asks storage for a page when the one before was taken, and not sooner', async () => {
    let given = 0
    streams = [
      {
        *[Symbol.iterator]() {
          for (; ; given++) yield page('p1-0.0', 'a')
        },
      } as unknown as readonly FollowPage[],
    ]
    const bytes = await open()
    for (let i = 0; i < 5; i++) await bytes.next()
    await systemClock.sleep(20)
    expect(given).toBeLessThan(6)
    await bytes.return?.()
  })

  it('ends when the process stops, with a time to come back', async () => {
    streams = [[page('p1-0.0')]]
    const stopping = new AbortController()
    const bytes = await open({}, { stopping: stopping.signal })
    const whole = read(bytes)
    stopping.abort()
    expect(await whole).toMatch(/^retry: 1000\n\n(id: p1-0\.0\n\n)?retry: [12]\d{3}\n\n$/)
  })
})
