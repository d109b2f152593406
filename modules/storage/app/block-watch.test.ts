import {
  AppError,
  type LogRecord,
  type Metrics,
  noMetrics,
  noTracer,
  type SpanOptions,
  systemClock,
  type Tracer,
} from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { BlockWatch } from './block-watch.ts'

const record = (appendedAt: number, traceparent?: string): LogRecord => ({
  ...{ partition: 0, baseOffset: 0, count: 3, bytes: new Uint8Array(0), corrupt: false, appendedAt },
  ...(traceparent !== undefined && { traceparent }),
})
const done = async () => ({ stored: 1, dropped: 0 })

it('freshness is the age of the oldest event that is being stored, or could not be', async () => {
  const now = 1_000_000
  const clock = { ...systemClock, now: () => now }
  let age: (() => unknown) | undefined
  const metrics: Metrics = {
    ...noMetrics,
    gauge: (name, _, read) => {
      if (name === 'splitstream.storage.freshness') age = read
    },
  }
  const watch = new BlockWatch({ clock, metrics, tracer: noTracer })
  expect(age?.()).toBe(0)
  await watch.block(0, [record(now - 5_000), record(now)], false, async () => {
    expect(age?.()).toBe(5)
    return done()
  })
  expect(age?.()).toBe(0)
  const away = new AppError('UNAVAILABLE', 'away')
  await expect(watch.block(1, [record(now - 9_000)], false, () => Promise.reject(away))).rejects.toBe(away)
  expect(age?.()).toBe(9)
  await watch.block(0, [record(now - 1_000)], false, done)
  expect(age?.()).toBe(9)
  await watch.block(1, [record(now - 9_000)], true, done)
  expect(age?.()).toBe(0)
  await watch.block(1, [record(now - 2_000)], false, () => Promise.reject(away)).catch(() => undefined)
  watch.forget(1)
  expect(age?.()).toBe(0)
})

it('a block is in the trace of the first record that has one, with links to the others', async () => {
  const begun: [name: string, parent: string | undefined, links: unknown][] = []
  const span = (name: string, parent: string | undefined, options?: SpanOptions) => {
    begun.push([name, parent, options?.links])
    return undefined
  }
  const tracer: Tracer = { root: () => undefined, span }
  const watch = new BlockWatch({ clock: systemClock, metrics: noMetrics, tracer })
  await watch.block(0, [record(0), record(0)], false, done)
  expect(begun).toEqual([])
  await watch.block(0, [record(0), record(0, 'a'), record(0, 'b'), record(0), record(0, 'c')], false, done)
  expect(begun).toEqual([['process events', 'a', ['b', 'c']]])
  // A request may be a record for each of its events.
  const events = ['a', 'a', 'b', 'b', 'a', 'c'].map((traceparent) => record(0, traceparent))
  await watch.block(0, events, false, done)
  expect(begun[1]).toEqual(begun[0])
})
