import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { serverProcesses, signal } from '../chaos/processes.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { inject, look, patienceMs, redWithinMs, watchFor } from './wedges.fixture.ts'

/** Engines that are children of the process: nobody else brings them back. Each test has a process of its own. */
let server: RunningServer | undefined

beforeEach(async () => {
  await server?.stop()
  server = await startServer({ env: { LOG_LEVEL: 'warn' } })
}, patienceMs)

afterAll(async () => {
  await server?.stop()
}, patienceMs)

const stop = (pids: readonly number[]) => async () => {
  for (const pid of pids) signal(pid, 'SIGSTOP')
  return async () => {
    for (const pid of pids) signal(pid, 'SIGCONT')
  }
}

describe('readiness turns red within 15 s, with the cause, and green again', { timeout: patienceMs }, () => {
  it('when the embedded ClickHouse hangs', async () => {
    const { clickhouse } = serverProcesses(server!.dataDir)
    const cause = /clickhouse: ClickHouse does not answer: nothing within 1500 ms, for 1\d s/
    await inject('hung ClickHouse', server!.url, stop([clickhouse!.pid]), { cause })
  })

  it('when the embedded Postgres hangs', async () => {
    const { postmaster, backends } = serverProcesses(server!.dataDir)
    const cause = /postgres: Postgres does not answer: .*, for 1\d s/
    await inject('hung Postgres', server!.url, stop([postmaster!, ...backends].map(({ pid }) => pid)), { cause })
  })

  it('when the embedded ClickHouse ends again and again', async () => {
    const wedge = async () => {
      const killing = setInterval(() => {
        const { clickhouse } = serverProcesses(server!.dataDir)
        if (clickhouse) signal(clickhouse.pid, 'SIGKILL')
      }, 500)
      return async () => clearInterval(killing)
    }
    const cause = /clickhouse: it ended 3 times within 30 s|clickhouse: ClickHouse does not answer.*for 1\d s/
    await inject('crash loop', server!.url, wedge, { cause, greenWithinMs: 60_000 })
  })
})

describe('a moment without an engine', { timeout: patienceMs }, () => {
  it('is none without readiness: it ends once, and is started again', async () => {
    for (const which of ['clickhouse', 'postmaster'] as const) {
      signal(serverProcesses(server!.dataDir)[which]!.pid, 'SIGKILL')
      expect(await watchFor(server!.url, redWithinMs)).toEqual([])
      expect(await look(server!.url)).toEqual({ ready: true, cause: '' })
    }
  })
})
