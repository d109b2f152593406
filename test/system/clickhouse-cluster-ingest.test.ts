import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Replicas, replicasMissing, startReplicas } from '../support/clickhouse-cluster/replicas.ts'
import { describeUnless } from '../support/suite.ts'
import { figures, newDataDir, once, post, start } from './lives.fixture.ts'

/* The whole product over three replicas of the real engine, one of which is killed while events come in. */

describeUnless(await replicasMissing(), 'a process over three replicas of ClickHouse', () => {
  let replicas: Replicas

  beforeAll(async () => {
    replicas = await startReplicas({ count: 3, database: 'splitstream' })
  }, 120_000)
  afterAll(() => replicas?.stop())

  it('stores each event once while a replica and the process itself are killed', async () => {
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
    await delay(3_000)
    await replicas.kill(0)
    await delay(3_000)
    server.kill('SIGKILL')
    server = await start(dataDir, env)
    await delay(2_000)
    more = false
    await load
    await vi.waitFor(async () => expect(await figures(server.url)).toEqual(once(0, sent)), {
      timeout: 120_000,
      interval: 500,
    })
  }, 300_000)
})
