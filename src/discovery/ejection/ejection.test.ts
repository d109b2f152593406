import { describe, expect, it } from 'vitest'
import type { Outcome } from '../resolver.ts'
import { Ward } from './ejection.fixture.ts'

describe('by errors', () => {
  it.each<Outcome>(['failed', 'unreachable', 'lost', 'late'])('leaves out one with half of its calls %s', (outcome) => {
    const ward = new Ward(3)
    ward.calls(ward.known[0]!, 5)
    ward.calls(ward.known[0]!, 5, outcome)
    expect(ward.next()).toBe('bc')
    expect(ward.discovery.health()).toEqual({ state: 'degraded', reason: 'a is left out: 5 of 10 calls failed' })
  })

  it.each<[string, number, number, Outcome]>([
    ['with less than ten calls', 0, 9, 'failed'],
    ['with less than half of them failed', 6, 5, 'failed'],
    ['that refuses calls, because it stops or is full', 0, 50, 'refused'],
  ])('keeps one %s', (_, good, bad, outcome) => {
    const ward = new Ward(3)
    ward.calls(ward.known[0]!, good)
    ward.calls(ward.known[0]!, bad, outcome)
    expect(ward.next()).toBe('abc')
    expect(ward.discovery.health()).toEqual({ state: 'ok' })
  })

  it('forgets calls after 10 s', () => {
    const ward = new Ward(3)
    ward.calls(ward.known[0]!, 9, 'failed')
    ward.clock.advance(10_000)
    ward.calls(ward.known[0]!, 9, 'failed')
    expect(ward.next()).toBe('abc')
    ward.calls(ward.known[0]!, 1, 'failed')
    expect(ward.next()).toBe('bc')
    ward.clock.advance(10_000)
    expect(ward.discovery.view()[0]).toMatchObject({ calls: 0, errors: 0, p99: 0 })
  })
})

describe('by time', () => {
  function timed(slow: number, ms: number, others: number): Ward {
    const ward = new Ward(3)
    ward.calls(ward.known[1]!, 100, 'answered', others)
    ward.calls(ward.known[2]!, 100, 'answered', others)
    ward.calls(ward.known[0]!, 100 - slow, 'answered', others)
    ward.calls(ward.known[0]!, slow, 'answered', ms)
    return ward
  }

  it('leaves out one whose p99 is over 200 ms and over three times that of the others', () => {
    expect(timed(3, 250, 20).next()).toBe('bc')
    expect(timed(3, 700, 200).next()).toBe('bc')
  })

  it.each([
    { why: 'within three times that of the others', slow: 100, ms: 550, others: 200 },
    { why: 'within 200 ms', slow: 100, ms: 200, others: 1 },
    { why: 'slow in two calls only', slow: 2, ms: 5_000, others: 20 },
  ])('keeps one that is $why', ({ slow, ms, others }) => {
    expect(timed(slow, ms, others).next()).toBe('abc')
  })

  it('judges nobody when there is nobody to compare with', () => {
    const ward = new Ward(3)
    ward.calls(ward.known[0]!, 100, 'answered', 5_000)
    ward.calls(ward.known[1]!, 9, 'answered', 1)
    expect(ward.next()).toBe('abc')
  })
})

describe('how many', () => {
  it.each([
    { instances: 1, list: 'a' },
    { instances: 2, list: 'ab' },
    { instances: 5, list: 'bcde' },
    { instances: 6, list: 'cdef' },
  ])('of $instances that all fail, never more than a third are out', ({ instances, list }) => {
    const ward = new Ward(instances)
    for (const instance of ward.known) ward.calls(instance, 20, 'failed')
    expect(ward.next()).toBe(list)
  })

  it('leaves out the worst first', () => {
    const ward = new Ward(3)
    ward.calls(ward.known[0]!, 20, 'answered', 1_000)
    ward.calls(ward.known[1]!, 20, 'lost')
    ward.calls(ward.known[2]!, 8)
    ward.calls(ward.known[2]!, 12, 'lost')
    expect(ward.next()).toBe('ac')
  })

  it('brings some back when discovery finds fewer', () => {
    const ward = new Ward(6)
    ward.calls(ward.known[1]!, 20, 'failed')
    expect(ward.next()).toBe('acdef')
    ward.calls(ward.known[0]!, 20, 'failed')
    expect(ward.next()).toBe('cdef')
    ward.find(ward.known.slice(0, 3))
    expect(ward.list()).toBe('bc') // b was first out, and would have been first back
    ward.find(ward.known.slice(0, 2))
    expect(ward.list()).toBe('ab')
  })

  it('leaves out one that has several turns as a whole', () => {
    const ward = new Ward(3)
    const [a, b, c] = ward.known
    ward.find([a!, b!, a!, c!, a!])
    ward.calls(a!, 20, 'failed')
    expect(ward.next()).toBe('bc')
  })
})

describe('the way back', () => {
  /** a is out, and its first trial is due. */
  function due(): Ward {
    const ward = new Ward(3)
    ward.calls(ward.known[0]!, 20, 'failed')
    ward.next()
    ward.clock.advance(5_000)
    return ward
  }

  it('is one call that has to go there, while the others go where they went', () => {
    const ward = due()
    expect(ward.list()).toBe('a')
    expect(ward.list()).toBe('bc')
    ward.calls(ward.known[0]!, 1)
    expect(ward.list()).toBe('abc')
  })

  it('is not open before the time is over', () => {
    const ward = new Ward(3)
    ward.calls(ward.known[0]!, 20, 'failed')
    expect(ward.next()).toBe('bc')
    ward.clock.advance(4_999)
    expect(ward.list()).toBe('bc')
    ward.clock.advance(1)
    expect(ward.list()).toBe('a')
  })

  it('begins from nothing: what it did before is forgotten', () => {
    const ward = due()
    ward.list()
    ward.calls(ward.known[0]!, 1)
    ward.calls(ward.known[0]!, 9, 'failed')
    expect(ward.next()).toBe('abc')
  })

  it('takes twice as long after each failed trial, at most a minute', () => {
    const ward = new Ward(3)
    ward.calls(ward.known[0]!, 20, 'failed')
    ward.next()
    for (let trial = 0; trial < 6; trial++) {
      ward.clock.advance(ward.spells.at(-1)!)
      expect(ward.list()).toBe('a')
      ward.calls(ward.known[0]!, 1, 'unreachable')
    }
    expect(ward.spells).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000])
  })

  it('takes twice as long when it soon fails again, and 5 s when it held for a minute', () => {
    const ward = due()
    ward.list()
    ward.calls(ward.known[0]!, 1)
    ward.clock.advance(59_000)
    ward.calls(ward.known[0]!, 20, 'failed')
    expect(ward.next()).toBe('bc')
    ward.clock.advance(10_000)
    expect(ward.list()).toBe('a')
    ward.calls(ward.known[0]!, 1)
    ward.clock.advance(60_000)
    ward.calls(ward.known[0]!, 20, 'failed')
    expect(ward.next()).toBe('bc')
    expect(ward.spells).toEqual([5_000, 10_000, 5_000])
  })

  it('is not opened by a call that is as slow as before', () => {
    const ward = due()
    ward.calls(ward.known[1]!, 20, 'answered', 10)
    ward.list()
    ward.calls(ward.known[0]!, 1, 'answered', 300)
    expect(ward.next()).toBe('bc')
    expect(ward.spells).toEqual([5_000, 10_000])
  })

  it('waits a second for its call, then sends another', () => {
    const ward = due()
    expect(ward.list()).toBe('a')
    ward.clock.advance(999)
    expect(ward.list()).toBe('bc')
    ward.clock.advance(1)
    expect(ward.list()).toBe('a')
  })

  it('is tried again a second after a refusal', () => {
    const ward = due()
    ward.list()
    ward.calls(ward.known[0]!, 1, 'refused')
    expect(ward.list()).toBe('bc')
    ward.clock.advance(1_000)
    expect(ward.list()).toBe('a')
  })

  it('is not decided by a call that was under way before', () => {
    const ward = due()
    ward.list()
    ward.discovery.report(ward.known[0]!, 'answered', 3_000)
    expect(ward.list()).toBe('bc')
    ward.calls(ward.known[0]!, 1)
    ward.discovery.report(ward.known[0]!, 'late', 9_000)
    expect(ward.discovery.view()[0]).toMatchObject({ state: 'serving', calls: 0 })
  })
})

it('looks without taking a trial', () => {
  const ward = new Ward(3)
  ward.calls(ward.known[0]!, 20, 'failed', 10)
  ward.next()
  ward.clock.advance(5_000)
  expect(ward.discovery.view().map(({ origin, state }) => [origin, state])).toEqual([
    ['a', 'ejected'],
    ['b', 'serving'],
    ['c', 'serving'],
  ])
  expect(ward.list()).toBe('a')
})
