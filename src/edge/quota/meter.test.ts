import { expect, it } from 'vitest'
import { Meter } from './meter.ts'

const requests = (perSecond: number): Meter =>
  new Meter({ policy: 'key', name: 'key:k:requests', unit: 'requests', perSecond })
const bytes = (perSecond: number): Meter =>
  new Meter({ policy: 'key-bytes', name: 'key:k:bytes', unit: 'content-bytes', perSecond })

/** Uses one at a time as long as it may. */
function useAll(meter: Meter, now: number): number {
  let used = 0
  for (; meter.wait(1, now) <= 0; used++) meter.use(1, now)
  return used
}

it('lets a second’s worth through at once, and then as many as come back', () => {
  const meter = requests(10)
  expect(useAll(meter, 5_000)).toBe(10)
  expect(meter.wait(1, 5_000)).toBeCloseTo(100)
  expect(useAll(meter, 5_099)).toBe(0)
  expect(useAll(meter, 5_100)).toBe(1)
  expect(useAll(meter, 5_450)).toBe(3)
  expect(useAll(meter, 60_000)).toBe(10)
})

it('never lets more through than the rate and one second’s worth', () => {
  const meter = requests(7)
  let used = 0
  for (let now = 0; now < 100_000; now += 13) used += useAll(meter, now)
  expect(used).toBeGreaterThanOrEqual(699)
  expect(used).toBeLessThanOrEqual(707)
})

it('lets a request through that is larger than a second’s worth, when all is there, and then waits for the debt', () => {
  const meter = bytes(1_000)
  meter.use(1, 0)
  expect(meter.wait(5_000, 0)).toBeCloseTo(1)
  expect(meter.wait(5_000, 1)).toBeLessThanOrEqual(0)
  meter.use(5_000, 1)
  expect(meter.wait(1, 1)).toBeCloseTo(4_001)
  expect(meter.left(1)).toBe('"key-bytes";r=0;t=5')
  expect(meter.wait(1, 4_002)).toBeLessThanOrEqual(0)
})

it('says what there is as the draft has it', () => {
  const meter = requests(100)
  expect(meter.item).toBe('"key";q=100;w=1')
  expect(bytes(1_000_000).item).toBe('"key-bytes";q=1000000;qu="content-bytes";w=1')
  expect(meter.left(0)).toBe('"key";r=100;t=1')
  meter.use(1, 0)
  expect(meter.left(0)).toBe('"key";r=99;t=1')
  for (let i = 0; i < 99; i++) meter.use(1, 0)
  expect(meter.left(0)).toBe('"key";r=0;t=1')
})

it('learns what others used, and forgets nothing of its own', () => {
  const meter = requests(10)
  meter.use(3, 0)
  meter.untold = 0 // told
  meter.use(2, 0)
  meter.learn(800, 0) // the three, and five of others
  expect(useAll(meter, 0)).toBe(0)
  expect(meter.wait(1, 0)).toBeCloseTo(100)
})
