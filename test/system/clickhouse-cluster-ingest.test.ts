import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { connectClickHouse } from '../../src/engines/clickhouse/client.ts'
import { systemCall, systemClock } from '../../src/kernel/index.ts'
import { type Replicas, replicasMissing, startReplicas } from '../support/clickhouse-cluster/replicas.ts'
import { describeUnless } from '../support/suite.ts'
import { figures, newDataDir, once, post, start } from './lives.fixture.ts'

/* The whole product over three replicas of the real engine, which are killed and come back while events come in. */

const database = 'splitstream'
const patience = { timeout: 60_000, interval: 250 }
const back = { readonly: 0, active: 3, expired: 0 }

describeUnless(await replicasMissing(), 'a process over three replicas of ClickHouse', () => {
  let replicas: Replicas

  beforeAll(async () => {
    replicas = await startReplicas({ count: 3, database })
  }, 120_000)
  afterAll(() => replicas?.stop())

  /** What each replica says of its table. */
  const standings = () =>
    Promise.all(
      replicas.origins.map(async (url) => {
        const { username, password } = replicas
        const one = connectClickHouse({ url, username, password, database })
        const sql = `SELECT toUInt8(is_readonly) AS readonly, toUInt8(active_replicas) AS active,
          toUInt8(is_session_expired) AS expired FROM system.replicas WHERE database = '${database}' AND table = 'events'`
        const ask = one.rows<typeof back>({ sql }, systemCall(systemClock, 5_000, new AbortController().signal))
        return (await ask.finally(() => one.close()))[0]
      }),
    )
  const allAreBack = () => vi.waitFor(async () => expect(await standings()).toEqual([back, back, back]), patience)

  it('stores each event once while replicas and the process itself are killed, and has all of them back', async () => {
    const dataDir = await newDataDir()
    const env = { CLICKHOUSE_URL: replicas.url, CLICKHOUSE_CLUSTER: replicas.cluster }
    let server = await start(dataDir, env)
    let sent = 0
    let more = true
    const load = (async () => {
      for (; more; await delay(50)) {
        // What was not answered is sent again.
        const accepted = async () => expect((await post(server.url, sent, 200, { query: '' })).status).toBe(202)
        await vi.waitFor(accepted, { timeout: 60_000, interval: 200 })
        sent += 200
      }
    })()
    const storedBy = async (events: number) => expect((await figures(server.url)).n).toBeGreaterThanOrEqual(events)
    /** All that was sent so far is stored, while more is sent. */
    const goesOn = async () => {
      const before = sent
      await vi.waitFor(() => storedBy(before), patience)
    }

    for (const i of [0, 1, 2]) {
      await replicas.kill(i)
      // The others go on without it.
      await goesOn()
      await replicas.start(i)
      await allAreBack()
      await goesOn()
    }
    // With two of three down events are accepted, and wait in the log.
    await Promise.all([replicas.kill(0), replicas.kill(1)])
    const before = sent
    await vi.waitFor(() => expect(sent).toBeGreaterThan(before + 1_000), patience)
    server.kill('SIGKILL')
    await Promise.all([replicas.start(0), replicas.start(1)])
    server = await start(dataDir, env)
    await allAreBack()
    await goesOn()
    more = false
    await load
    await vi.waitFor(async () => expect(await figures(server.url)).toEqual(once(0, sent)), patience)
    await allAreBack()
  }, 400_000)
})
