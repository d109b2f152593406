import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { judgeSlowness } from './extract.ts'
import { Findings } from './findings.ts'
import { Latencies } from './latencies.ts'
import { judgeReadiness, type PromisedReadiness, type Stretch } from './readiness.ts'
import { judgeUnanswered } from './unanswered.ts'

const figures = { p50: 1, p99: 2, worst: 3, eventsPerSecond: 5_000, seconds: 12, slow: 9, inARow: 4 }

it('answers may be slow for less than five seconds in a row', () => {
  const findings = new Findings()
  judgeSlowness({ 'one process': figures, 'moving out': figures }, findings)
  judgeSlowness({ 'cold brokers, moving out': { ...figures, inARow: 7 } }, findings)
  expect(findings.ok).toBe(true)
  judgeSlowness({ 'moving out': { ...figures, inARow: 5 } }, findings)
  expect(JSON.stringify(findings)).toContain('moving out: 5 s in a row')
})

it('a second without any answer is a slow one', async () => {
  const latencies = new Latencies()
  latencies.begin('one process')
  for (const end = performance.now() + 1_100; performance.now() < end; await delay(20)) latencies.add(10, 1)
  latencies.begin('moving out')
  latencies.add(10, 1)
  await delay(2_100)
  expect(latencies.summary()).toMatchObject({ 'one process': { slow: 0 }, 'moving out': { slow: 1, inARow: 1 } })
})

it('a second in which the clients themselves stood still is none', async () => {
  const latencies = new Latencies()
  latencies.begin('one process')
  for (const end = performance.now() + 1_100; performance.now() < end; await delay(20)) latencies.add(10, 1)
  latencies.begin('moving out')
  for (const end = performance.now() + 2_100; performance.now() < end; );
  expect(latencies.summary()).toMatchObject({ 'moving out': { slow: 0, inARow: 0 } })
})

it.each(['unsent', 'unknown', 'timeout'])('a request that is counted as %s has no answer', (kind) => {
  const findings = new Findings()
  judgeUnanswered(new Map([['202', 1_000]]), findings)
  expect(findings.ok).toBe(true)
  judgeUnanswered(
    new Map([
      ['202', 1_000],
      [kind, 2],
    ]),
    findings,
  )
  expect(JSON.stringify(findings)).toContain(`${kind}: 2 times`)
})

const outage: PromisedReadiness = { struck: 3_000, healed: 23_000, redWithinMs: 15_000, greenWithinMs: 30_000 }
const stretch = (from: number, ready: boolean): Stretch => ({ from, ready, cause: ready ? '' : 'clickhouse: away' })

it.each<[string, Partial<PromisedReadiness>, Stretch[]]>([
  ['ready, and must not be', {}, [stretch(0, true)]],
  ['ready, and must not be', {}, [stretch(0, true), stretch(19_000, false), stretch(24_000, true)]],
  [
    'not ready, and need not be',
    { redWithinMs: undefined },
    [stretch(0, true), stretch(4_000, false), stretch(5_000, true)],
  ],
  ['not ready before the outage', {}, [stretch(0, true), stretch(1_000, false), stretch(24_000, true)]],
  ['not ready again in time', {}, [stretch(0, true), stretch(4_000, false), stretch(54_000, true)]],
  ['never ready again', {}, [stretch(0, true), stretch(4_000, false)]],
  ['readiness was never seen', {}, []],
])('readiness: %s', (finding, o, seen) => {
  const findings = new Findings()
  judgeReadiness(seen, { ...outage, ...o }, findings)
  expect(Object.keys(findings.toJSON())).toContain(finding)
})

it('readiness as it is promised is no finding', () => {
  const findings = new Findings()
  const seen = [stretch(0, true), stretch(15_000, false), stretch(50_000, true)]
  expect(judgeReadiness(seen, outage, findings)).toMatchObject({ redMs: 12_000, greenMs: 27_000 })
  judgeReadiness([stretch(0, true)], { ...outage, redWithinMs: undefined }, findings)
  // Too short to be sure of.
  judgeReadiness([stretch(0, true)], { ...outage, healed: 10_000 }, findings)
  expect(findings.toJSON()).toEqual({})
})
