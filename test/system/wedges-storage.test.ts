import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signal } from '../chaos/processes.ts'
import { inject, patienceMs, type Rig, startRig, watchFor } from './wedges.fixture.ts'

let rig: Rig

beforeAll(async () => {
  rig = await startRig()
  await rig.event()
}, patienceMs)

afterAll(() => rig?.stop(), patienceMs)

describe('readiness turns red within 15 s, with the cause, and green again', { timeout: patienceMs }, () => {
  it('when an insert is never answered, though ClickHouse answers', async () => {
    const wedge = async () => {
      rig.clickhouse.set('hang', 'INSERT')
      await rig.event()
      return async () => rig.clickhouse.set(undefined)
    }
    const cause = /storage: .*partition \d has not moved on.*clickhouse insert: no answer for 1\d s/
    await inject('stalled flush', rig.url, wedge, { cause })
  })

  it('when ClickHouse takes no inserts', async () => {
    const wedge = async () => {
      rig.clickhouse.set({ parameters: { readonly: '1' } }, 'INSERT')
      await rig.event()
      return async () => rig.clickhouse.set(undefined)
    }
    await inject('read-only', rig.url, wedge, { cause: /storage: .*READONLY \(164\)/ })
  })

  it('when the table is not there, and more and more events wait', async () => {
    const wedge = async () => {
      await rig.sql('RENAME TABLE events TO events_aside')
      await rig.event()
      const more = setInterval(() => void rig.event(), 500)
      return async () => {
        clearInterval(more)
        await rig.sql('RENAME TABLE events_aside TO events')
      }
    }
    // Of which partition which is said is chance.
    const cause = /^(?=.*storage: )(?=.*\d\d events wait)(?=.*UNKNOWN_TABLE \(60\))/
    await inject('growing lag', rig.url, wedge, { cause })
  })

  it('when the record of what is stored is locked', async () => {
    const wedge = async () => {
      const release = await rig.lock('storage.progress')()
      await rig.event()
      return release
    }
    const cause = /storage: .*has not moved on.*postgres storage: no answer/
    await inject('locked progress', rig.url, wedge, { cause })
  })
})

describe('an outage elsewhere, over 20 s', { timeout: patienceMs }, () => {
  it.each(['refuse', 'hang'] as const)('of ClickHouse (%s) leaves it ready: events are accepted', async (fault) => {
    rig.clickhouse.set(fault)
    try {
      const sending = setInterval(() => void rig.event(), 1_000)
      const red = await watchFor(rig.url, 20_000)
      clearInterval(sending)
      expect(red).toEqual([])
      const { status, parts, dependencies } = await health()
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
      const sending = setInterval(() => void rig.event(), 1_000)
      const red = await watchFor(rig.url, 20_000)
      clearInterval(sending)
      expect(red).toEqual([])
      const { status, parts, dependencies } = await health()
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

const health = async () => (await (await fetch(`${rig.url}/health`)).json()) as View
