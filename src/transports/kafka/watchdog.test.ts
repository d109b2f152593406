import { systemClock } from '@splitstream/kernel'
import { beforeEach, describe, expect, it } from 'vitest'
import { Watchdog } from './watchdog.ts'

describe('the watchdog of a consumer', () => {
  let now: number
  let watchdog: Watchdog
  const look = (next: number, end: number): number | undefined =>
    watchdog.look([{ partition: 2, next }], new Map([[2, end]]))

  beforeEach(() => {
    now = 0
    watchdog = new Watchdog({ ...systemClock, monotonic: () => now }, 20_000)
  })

  it('finds the partition whose lane waits for the same record for too long', () => {
    for (; now < 20_000; now += 5_000) expect(look(7, 9)).toBe(undefined)
    expect(look(7, 9)).toBe(2)
  })

  it('leaves an idle partition alone', () => {
    for (; now < 200_000; now += 5_000) expect(look(9, 9)).toBe(undefined)
  })

  it('leaves a lane alone that waits at every look and comes on', () => {
    for (let next = 0; now < 200_000; now += 5_000) expect(look(next++, next + 5)).toBe(undefined)
  })

  it('begins anew when the lane did not wait in between, or the consumer is another one', () => {
    look(7, 9)
    now = 15_000
    expect(watchdog.look([], new Map([[2, 9]]))).toBe(undefined)
    now = 25_000
    expect(look(7, 9)).toBe(undefined)
    now = 44_000
    watchdog.reset()
    now = 50_000
    expect(look(7, 9)).toBe(undefined)
  })

  it('does not judge a partition whose end is not known', () => {
    for (; now < 100_000; now += 5_000) expect(watchdog.look([{ partition: 2, next: 7 }], new Map())).toBe(undefined)
  })
})
