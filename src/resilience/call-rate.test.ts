import { describe, expect, it } from 'vitest'
import { CallRate } from './call-rate.ts'

function start() {
  let now = 10_000
  const rate = new CallRate({ minCalls: 10, windowMs: 10_000 }, () => now)
  /** One call each `everyMs`. */
  const calls = (n: number, bad: boolean, everyMs = 0) => {
    for (let i = 0; i < n; i++) {
      now += everyMs
      rate.add(bad)
    }
  }
  const wait = (ms: number) => {
    now += ms
  }
  return { rate, calls, wait }
}

describe('the rate of bad calls', () => {
  it('is not known of few calls', () => {
    const { rate, calls } = start()
    calls(9, true)
    expect(rate.read()).toBeUndefined()
    calls(1, true)
    expect(rate.read()).toEqual({ bad: 10, calls: 10 })
  })

  it('is that of the last second when there were many', () => {
    const { rate, calls, wait } = start()
    calls(500, true, 1)
    wait(1_100)
    calls(980, false, 1)
    calls(10, true)
    expect(rate.read()!.bad).toBe(10)
    expect(rate.read()!.calls).toBeGreaterThan(800)
  })

  it('is that of the last calls when nothing good ends any more, however many did before', () => {
    const { rate, calls, wait } = start()
    calls(2_000, false, 1)
    wait(1_100)
    calls(6, true)
    expect(rate.read()).toEqual({ bad: 6, calls: 10 })
  })

  it('is not known when the last calls are too old', () => {
    const { rate, calls, wait } = start()
    calls(9, true)
    wait(10_001)
    calls(1, true)
    expect(rate.read()).toBeUndefined()
    calls(9, true, 1_000)
    expect(rate.read()).toEqual({ bad: 10, calls: 10 })
  })

  it('begins anew', () => {
    const { rate, calls } = start()
    calls(100, true)
    rate.clear()
    calls(9, true)
    expect(rate.read()).toBeUndefined()
  })
})
