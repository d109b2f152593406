import { afterAll, beforeAll, describe, it } from 'vitest'
import { inject, patienceMs, type Rig, startRig } from './wedges.fixture.ts'

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
