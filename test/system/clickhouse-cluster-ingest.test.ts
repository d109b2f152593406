import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Replicas, replicasMissing, startReplicas } from '../support/clickhouse-cluster/replicas.ts'
import { describeUnless } from '../support/suite.ts'
import { figures, newDataDir, once, post, start } from './lives.fixture.ts'

/* The whole product over three replicas of the real engine, which are killed one after the other while events come in. */

describeUnless(await replicasMissing(), 'a process over three replicas of ClickHouse', () => {
  let replicas: Replicas

  beforeAll(async () => {
    replicas = await startReplicas({ count: 3, database: 'splitstream' })
  }, 120_000)
  afterAll(() => replicas?.stop())

  it('stores each event once while replicas and the process itself are killed', async () => {
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
    for (const i of [0, 1, 2, 0]) {
      await replicas.kill(i)
      await delay(3_000)
      await replicas.start(i)
      await delay(3_000)
    }
    // With two of three down events are accepted, and wait in the log.
    await Promise.all([replicas.kill(0), replicas.kill(1)])
    const before = sent
    await vi.waitFor(() => expect(sent).toBeGreaterThan(before + 1_000), { timeout: 30_000 })
    server.kill('SIGKILL')
    await Promise.all([replicas.start(0), replicas.start(1)])
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
