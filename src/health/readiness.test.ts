import type { Health } from '@splitstream/kernel'
import { expect, it } from 'vitest'
import { Readiness, type Source } from './readiness.ts'

const ok: Health = { state: 'ok' }
const bad: Health = { state: 'degraded', reason: 'it stands still' }

/** A process whose parts a test sets, looked at every second. */
function start(...needs: Pick<Source, 'part' | 'needs'>[]) {
  const readiness = new Readiness()
  const said = new Map<string, Health>(needs.map(({ part }) => [part, ok]))
  for (const source of needs) readiness.add({ ...source, read: () => said.get(source.part)! })
  let now = 0
  const wait = (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      now += 1_000
      readiness.parts(now)
    }
    return readiness.parts(now)
  }
  wait(1)
  return { wait, say: (part: string, health: Health) => said.set(part, health) }
}

const storage = { part: 'storage', needs: ['clickhouse'] }
const clickhouse = { part: 'clickhouse' }

it('is down when a part has been degraded for 7 s though all that it needs is well', () => {
  const { wait, say } = start(storage, clickhouse)
  say('storage', bad)
  expect(wait(7).storage).toEqual(bad)
  expect(wait(1).storage).toEqual({ state: 'down', reason: 'it stands still' })
})

it('is never down by waiting for something that is away', () => {
  const { wait, say } = start(storage, clickhouse)
  say('storage', bad)
  say('clickhouse', { state: 'degraded', reason: 'it is away' })
  expect(wait(3_600)).toEqual({ storage: bad, clickhouse: { state: 'degraded', reason: 'it is away' } })
})

it('gives 30 s to go on in after that, and no more', () => {
  const { wait, say } = start(storage, clickhouse)
  say('storage', bad)
  say('clickhouse', bad)
  wait(60)
  say('clickhouse', ok)
  expect(wait(30).storage).toEqual(bad)
  expect(wait(1).storage!.state).toBe('down')
})

it('gives less time after a moment', () => {
  const { wait, say } = start(storage, clickhouse)
  say('clickhouse', bad)
  wait(4)
  say('clickhouse', ok)
  say('storage', bad)
  expect(wait(7).storage).toEqual(bad)
  expect(wait(1).storage!.state).toBe('down')
})

it('is never down by what others have to mend', () => {
  const { wait, say } = start({ part: 'link storage.read' })
  say('link storage.read', bad)
  expect(wait(3_600)['link storage.read']).toEqual(bad)
})

it('stays down for as long as it stands still, and 5 s at least', () => {
  const { wait, say } = start(storage, clickhouse)
  say('storage', bad)
  wait(8)
  say('storage', ok)
  expect(wait(4).storage!.state).toBe('down')
  expect(wait(1).storage).toEqual(ok)
})

it('forgets a pause that was shorter', () => {
  const { wait, say } = start(storage, clickhouse)
  for (let i = 0; i < 20; i++) {
    say('storage', bad)
    expect(wait(7).storage).toEqual(bad)
    say('storage', ok)
    expect(wait(1).storage).toEqual(ok)
  }
})

it('takes a part that says itself that it is down at its word', () => {
  const { wait, say } = start(storage, clickhouse)
  say('storage', { state: 'down', reason: 'events are lost' })
  expect(wait(1).storage).toEqual({ state: 'down', reason: 'events are lost' })
  say('storage', ok)
  expect(wait(1).storage).toEqual(ok)
})

it('shows the worst of several sources of a part, with all reasons', () => {
  const readiness = new Readiness()
  readiness.addAll(
    () => ({ storage: bad, query: ok }),
    (part) => (part === 'storage' ? [] : undefined),
  )
  readiness.add({ part: 'storage', read: () => ({ state: 'degraded', reason: 'partition 0 has not moved on' }) })
  expect(readiness.parts(0)).toEqual({
    storage: { state: 'degraded', reason: 'it stands still; partition 0 has not moved on' },
    query: ok,
  })
  expect(readiness.parts(9_000).storage!.state).toBe('down')
})
