import { type Call, decodePosition, encodePosition, systemCall, systemClock } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import { Confirmed } from '../../app/confirmed.ts'
import { followEvents } from '../../app/follow-events.ts'
import { Gate } from '../../app/gate.ts'
import type { FollowInput, FollowPage } from '../../contract/index.ts'
import { as, clickhouse, limits } from './reader.fixture.ts'
import { insertEvents, type TestEvent } from './rows.fixture.ts'

/* Real rows in the real engine. Each group of tests has offsets and a tenant of its own; offset n is in partition n % 4. */

interface Log {
  readonly confirmed: Confirmed
  readonly first: number
  /** Confirms everything below this place in the list. */
  confirm(count: number): void
  follow(input?: Partial<FollowInput>, call?: Call): AsyncIterable<FollowPage>
}

let nextFirst = 1_000_000

async function logOf(tenant: string, events: readonly TestEvent[]): Promise<Log> {
  const first = nextFirst
  nextFirst += 1_000_000
  await insertEvents(
    clickhouse,
    events.map((event) => ({ tenant, ...event })),
    as(tenant),
    first,
  )
  const confirmed = new Confirmed(systemClock, { end: () => undefined })
  const deps = { clickhouse, clock: systemClock, limits, confirmed, gate: new Gate(2) }
  const start = new Map([0, 1, 2, 3].map((partition) => [partition, first]))
  return {
    confirmed,
    first,
    confirm: (count) => {
      for (const partition of start.keys()) confirmed.advance(partition, first + count)
    },
    follow: (input, call = as(tenant)) =>
      followEvents(deps, { filters: [], from: encodePosition(start), ...input }, call),
  }
}

const numbered = (count: number, more: (i: number) => Partial<TestEvent> = () => ({})): TestEvent[] =>
  Array.from({ length: count }, (_, i) => ({ id: `e${i}`, ...more(i) }))
const idsOf = (page: FollowPage): string[] => page.events.map(({ event }) => String(event.id))

/** The first pages that have events, until there are so many of these. */
async function take(log: Log, count: number, input: Partial<FollowInput> = {}): Promise<FollowPage[]> {
  const pages: FollowPage[] = []
  for await (const page of log.follow(input)) {
    if (page.events.length > 0) pages.push(page)
    if (pages.reduce((sum, { events }) => sum + events.length, 0) >= count) break
  }
  return pages
}

describe('following', () => {
  it('gives each event once and in order, however often a reader leaves and comes back while events are confirmed', async () => {
    const count = 3_000
    const log = await logOf('often', numbered(count))
    const confirming = (async () => {
      for (let done = 0; done < count; done += 100) {
        log.confirm(Math.min(count, done + 100))
        await systemClock.sleep(5)
      }
    })()
    const seen: string[] = []
    let from: string | undefined
    while (seen.length < count) {
      let left = Math.floor(Math.random() * 400)
      reading: for await (const page of log.follow(from === undefined ? {} : { from })) {
        for (const { event, position } of page.events) {
          seen.push(String(event.id))
          from = position
          if (left-- <= 0 || seen.length === count) break reading
        }
        from = page.position
      }
    }
    await confirming
    expect(seen).toHaveLength(count)
    expect(new Set(seen).size).toBe(count)
    for (const partition of [0, 1, 2, 3]) {
      const places = seen.map((id) => Number(id.slice(1))).filter((place) => (log.first + place) % 4 === partition)
      expect(places).toEqual(places.toSorted((a, b) => a - b))
    }
  })

  it('gives nothing that is not confirmed', async () => {
    const log = await logOf('confirmed', numbered(10))
    log.confirm(4)
    const pages = log.follow()[Symbol.asyncIterator]()
    expect((await pages.next()).value).toMatchObject({ events: [] })
    expect(idsOf((await pages.next()).value!).toSorted()).toEqual(['e0', 'e1', 'e2', 'e3'])
    const next = pages.next()
    log.confirmed.advance(1, log.first + 6)
    expect(idsOf((await next).value!)).toEqual(['e5'])
    await pages.return!()
  })

  it('goes through a backlog in pages, through all partitions at one pace', async () => {
    // The last partition begins far behind the others.
    const log = await logOf('backlog', numbered(4_000))
    log.confirm(4_000)
    const from = encodePosition(new Map([0, 1, 2, 3].map((p) => [p, p === 3 ? 0 : log.first])))
    const pages = await take(log, 4_000, { from })
    expect(pages.length).toBeGreaterThan(4)
    expect(Math.max(...pages.map(({ events }) => events.length))).toBeLessThanOrEqual(504)
    expect(new Set(pages.flatMap(idsOf)).size).toBe(4_000)
    const fair = await take(log, 500)
    const partitions = idsOf(fair[0]!).map((id) => Number(id.slice(1)) % 4)
    for (const partition of [0, 1, 2, 3]) {
      expect(partitions.filter((one) => one === partition).length).toBeGreaterThan(100)
    }
  })

  it('takes fewer at once when they are large', async () => {
    const big = JSON.stringify({ fill: 'x'.repeat(1 << 20) })
    const log = await logOf(
      'large',
      numbered(20, () => ({ data: big })),
    )
    log.confirm(20)
    const pages = await take(log, 20)
    expect(pages.length).toBeGreaterThan(3)
    expect(new Set(pages.flatMap(idsOf)).size).toBe(20)
  })

  it('is of one tenant, and of what meets the filters', async () => {
    const log = await logOf(
      'filters',
      numbered(40, (i) => ({
        ...(i % 10 === 9 && { tenant: 'another' }),
        type: i % 2 === 0 ? 'order' : 'refund',
        data: JSON.stringify({ n: i }),
      })),
    )
    log.confirm(40)
    const filters = [
      { field: 'type', op: 'eq', value: 'refund' },
      { field: 'data.n', op: 'gt', value: 30 },
    ] as const
    const pages = await take(log, 4, { filters })
    expect(pages.flatMap(idsOf).toSorted()).toEqual(['e31', 'e33', 'e35', 'e37'])
    // What meets no filter is gone beyond all the same.
    expect(decodePosition(pages.at(-1)!.position).get(0)).toBe(log.first + 40)
  })

  it('begins now without a position, and in partitions that the position of an append does not name', async () => {
    const log = await logOf('now', numbered(12))
    log.confirm(8)
    const now = log.follow({ from: undefined })[Symbol.asyncIterator]()
    const partly = log.follow({ from: encodePosition(new Map([[1, log.first + 2]])), unnamed: 'new' })
    const part = partly[Symbol.asyncIterator]()
    await now.next()
    await part.next()
    expect(idsOf((await part.next()).value!)).toEqual(['e5'])
    log.confirm(12)
    expect(idsOf((await now.next()).value!).toSorted()).toEqual(['e10', 'e11', 'e8', 'e9'])
    expect(idsOf((await part.next()).value!).toSorted()).toEqual(['e10', 'e11', 'e8', 'e9'])
    await Promise.all([now.return!(), part.return!()])
  })

  it('ends with its signal, also while it waits', async () => {
    const log = await logOf('ends', numbered(1))
    const end = new AbortController()
    const pages = log.follow({}, systemCall(systemClock, 5_000, end.signal, 'ends'))[Symbol.asyncIterator]()
    await pages.next()
    const waiting = pages.next()
    end.abort()
    expect((await waiting).done).toBe(true)
  })

  it('refuses at once what it cannot follow', async () => {
    const log = await logOf('refused', numbered(1))
    const bad = { field: 'nope', op: 'eq', value: 1 } as const
    expect(() => log.follow({ filters: [bad] })).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }))
    const confirmed = new Confirmed(systemClock, { end: () => 5 })
    const deps = { clickhouse, clock: systemClock, limits, confirmed, gate: new Gate(2) }
    expect(() => followEvents(deps, { filters: [], from: encodePosition(new Map([[0, 6]])) }, as('refused'))).toThrow(
      expect.objectContaining({ code: 'POSITION_INVALID' }),
    )
  })
})
