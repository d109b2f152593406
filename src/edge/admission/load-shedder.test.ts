import { setImmediate as nextTurn } from 'node:timers/promises'
import { codeOf, noMetrics, type Scope } from '@splitstream/kernel'
import { beforeEach, describe, expect, it } from 'vitest'
import { LoadShedder } from './load-shedder.ts'

let now: number
let loop: { active: number; idle: number }
/** What other work took in its pieces, ms. */
let pieces: number
let shedder: LoadShedder
const shares: number[] = []

beforeEach(() => {
  now = 1_000
  loop = { active: 0, idle: 0 }
  pieces = 0
  shedder = make(50)
})

const make = (delayMs: number): LoadShedder =>
  new LoadShedder({
    clock: { now: () => now, monotonic: () => now, sleep: async () => {} },
    delayMs,
    metrics: noMetrics,
    loop: () => loop,
    pieces: () => pieces,
    random: () => 0.999,
    onRefusalShare: (share) => shares.push(share),
  })

function admitted(tenant = 'a', scope: Scope | 'public' = 'ingest'): boolean {
  try {
    shedder.admit(scope, tenant, now)
    return true
  } catch (error) {
    expect(codeOf(error)).toBe('OVERLOADED')
    shedder.refuses()
    return false
  }
}

/**
 * A turn in which requests arrive, one each ms of it, and then other work has its piece.
 * @returns how many were admitted of those of tenant a
 */
async function turn(ms: number, idleMs = 0, each: () => boolean = () => admitted(), pieceMs = 0): Promise<number> {
  loop = { active: loop.active, idle: loop.idle + idleMs }
  now += idleMs
  let count = 0
  for (let i = 0; i < ms; i++) {
    shedder.enter(now)
    if (each()) count++
    now++
    loop = { active: loop.active + 1, idle: loop.idle }
  }
  now += pieceMs
  pieces += pieceMs
  loop = { active: loop.active + pieceMs, idle: loop.idle }
  await nextTurn()
  return count
}

const overload = async (): Promise<void> => {
  for (let i = 0; i < 6; i++) await turn(100)
}

describe('admission by event-loop delay', () => {
  it('lets all of a burst through', async () => {
    expect(await turn(400)).toBe(400)
    expect(await turn(40)).toBe(40)
    expect(await turn(400)).toBe(400)
    expect(shedder.shedding).toBe(false)
  })

  it('sheds what waited for too long once no turn was short for half a second', async () => {
    for (let i = 0; i < 4; i++) expect(await turn(100)).toBe(100)
    expect(shedder.shedding).toBe(false)
    expect(await turn(100)).toBe(100)
    expect(shedder.shedding).toBe(true)
    const count = await turn(100)
    expect(count).toBeGreaterThanOrEqual(50)
    expect(count).toBeLessThanOrEqual(52)
  })

  it('charges no request with the pieces of other work', async () => {
    for (let i = 0; i < 20; i++) expect(await turn(40, 0, undefined, 20)).toBe(40)
    expect(shedder.shedding).toBe(false)
    await overload()
    shares.length = 0
    for (let i = 0; i < 20; i++) await turn(100, 0, undefined, 100)
    // Of 200 ms one refuses for 50.
    expect(Math.max(...shares)).toBeLessThan(0.3)
  })

  it('takes long turns of a loop that is idle in between for large requests', async () => {
    for (let i = 0; i < 20; i++) expect(await turn(100, 20)).toBe(100)
    expect(shedder.shedding).toBe(false)
  })

  it('takes long turns that lie apart for nothing', async () => {
    await turn(100)
    now += 10_000
    await turn(100)
    expect(shedder.shedding).toBe(false)
  })

  it('goes on for two seconds after the last long turn, and then begins anew', async () => {
    await overload()
    for (let i = 0; i < 30; i++) expect(await turn(40, 10)).toBe(40)
    expect(shedder.shedding).toBe(true)
    await turn(40, 600)
    expect(shedder.shedding).toBe(false)
    expect(await turn(100)).toBe(100)
  })

  it('does not go on for long turns of a loop that is idle in between', async () => {
    await overload()
    for (let i = 0; i < 20; i++) await turn(60, 100)
    expect(shedder.shedding).toBe(false)
  })

  it('never refuses what operators and probes ask', async () => {
    await overload()
    expect(await turn(200, 0, () => admitted('a', 'admin') && admitted('', 'public'))).toBe(200)
  })

  it('refuses queries before events', async () => {
    await overload()
    const count = await turn(100, 0, () => admitted('a', 'query'))
    expect(count).toBeGreaterThanOrEqual(25)
    expect(count).toBeLessThanOrEqual(27)
  })

  it('refuses a noisy tenant before a rare one', async () => {
    await overload()
    let rare = 0
    await turn(90, 0, () => {
      if (now % 30 === 29 && admitted('rare')) rare++
      return admitted('noisy')
    })
    expect(rare).toBe(3)
    expect(await turn(90, 0, () => admitted('noisy'))).toBeLessThan(60)
  })

  it('lets a rare tenant through after any number of refusals', async () => {
    await overload()
    let rare = false
    await turn(500, 0, () => {
      if (now % 500 === 499) rare = admitted('rare')
      return admitted('noisy')
    })
    expect(rare).toBe(true)
  })

  it('tells clients to come back at different times, later the longer it lasts', async () => {
    const retryAfter = (): number | undefined => {
      try {
        shedder.admit('ingest', 'a', now)
      } catch (error) {
        return (error as { retryAfterMs: number }).retryAfterMs
      }
    }
    await overload()
    const first: (number | undefined)[] = []
    await turn(200, 0, () => !first.push(retryAfter()))
    expect(Math.max(...first.map((ms) => ms ?? 0))).toBe(2_000)
    for (let i = 0; i < 300; i++) await turn(100)
    const later: (number | undefined)[] = []
    await turn(200, 0, () => !later.push(retryAfter()))
    expect(Math.max(...later.map((ms) => ms ?? 0))).toBe(10_000)
  })

  it('refuses what is stale, but only then', async () => {
    const stale = (): boolean => {
      try {
        shedder.admit('ingest', 'a', now, true)
        return false
      } catch {
        return true
      }
    }
    expect(await turn(10, 0, stale)).toBe(0)
    await overload()
    expect(await turn(10, 0, stale)).toBe(10)
    await turn(40, 3_000)
    expect(await turn(10, 0, stale)).toBe(0)
  })

  it('tells which part of the time refusals take', async () => {
    await overload()
    shares.length = 0
    for (let i = 0; i < 20; i++) await turn(100)
    expect(shares.length).toBeGreaterThanOrEqual(3)
    for (const share of shares.slice(1)) expect(share).toBeCloseTo(0.49, 1)
    shares.length = 0
    for (let i = 0; i < 20; i++) await turn(100, 400)
    for (const share of shares.slice(1)) expect(share).toBeLessThan(0.11)
    for (let i = 0; i < 20; i++) await turn(40)
    expect(shares.at(-1)).toBe(0)
  })

  it('is off at 0', async () => {
    shedder = make(0)
    for (let i = 0; i < 20; i++) expect(await turn(100)).toBe(100)
  })
})
