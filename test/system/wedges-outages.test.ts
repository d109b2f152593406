import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signal } from '../chaos/processes.ts'
import { patienceMs, type Rig, startRig, watchFor } from './wedges.fixture.ts'

let rig: Rig

beforeAll(async () => {
  rig = await startRig()
  await rig.event()
}, patienceMs)

afterAll(() => rig?.stop(), patienceMs)

describe('an outage elsewhere, over 20 s', { timeout: patienceMs }, () => {
  it.each(['refuse', 'hang'] as const)('of ClickHouse (%s) leaves it ready: events are accepted', async (fault) => {
    rig.clickhouse.set(fault)
    try {
      const { status, parts, dependencies } = await healthWhileReady()
      expect([status, parts.clickhouse!.state, dependencies['clickhouse read']!.state]).toEqual([
        'degraded',
        'degraded',
        'down',
      ])
      expect(parts.clickhouse!.reason).toMatch(/ClickHouse does not answer: .* for 1\d s|for 2\d s/)
      expect(dependencies['log append']!.lag.storage).toBeGreaterThan(5)
    } finally {
      rig.clickhouse.set(undefined)
    }
    expect(await watchFor(rig.url, 15_000)).toEqual([])
    expect((await health()).parts.storage).toEqual({ state: 'ok' })
  })

  it('of Postgres (it stands still) leaves it ready: events are accepted', async () => {
    const pids = rig.postgresPids()
    for (const pid of pids) signal(pid, 'SIGSTOP')
    try {
      const { status, parts, dependencies } = await healthWhileReady()
      expect([status, parts.postgres!.state, dependencies['postgres storage']!.state]).toEqual([
        'degraded',
        'degraded',
        'down',
      ])
    } finally {
      for (const pid of pids) signal(pid, 'SIGCONT')
    }
    expect(await watchFor(rig.url, 15_000)).toEqual([])
  })
})

interface View {
  readonly status: string
  readonly parts: Record<string, { state: string; reason?: string }>
  readonly dependencies: Record<string, { state: string; lag: Record<string, number> }>
}

/** What it says of itself after 20 s in which events came in and it was never red. */
async function healthWhileReady(): Promise<View> {
  const sending = setInterval(() => void rig.event(), 1_000)
  const red = await watchFor(rig.url, 20_000)
  clearInterval(sending)
  expect(red).toEqual([])
  return await health()
}

const health = async () => (await (await fetch(`${rig.url}/health`)).json()) as View
