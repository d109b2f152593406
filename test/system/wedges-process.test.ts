import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type RunningServer, startServer } from '../support/server.ts'
import { inject, patienceMs } from './wedges.fixture.ts'

const preload = fileURLToPath(new URL('./wedge-preload.fixture.mjs', import.meta.url))
let dir: string
let server: RunningServer

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'splitstream-wedges-'))
  const env = { LOG_LEVEL: 'warn', NODE_OPTIONS: `--import=${preload}`, WEDGE_FILE: join(dir, 'wedge.json') }
  server = await startServer({ dataDir: join(dir, 'data'), env })
}, patienceMs)

afterAll(async () => {
  await server?.stop()
  await rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
}, patienceMs)

async function order(what: { jumpMs?: number; blockMs?: number }): Promise<void> {
  await writeFile(join(dir, 'wedge.json'), JSON.stringify(what))
  server.kill('SIGUSR2')
}

describe('readiness turns red within 15 s, with the cause, and green again', { timeout: patienceMs }, () => {
  it.each([
    [3_600_000, /process: the clock is 3600 s ahead of that of Postgres/],
    [-600_000, /process: the clock is 600 s behind that of Postgres/],
  ])('when the clock jumps by %i ms', async (jumpMs, cause) => {
    const wedge = async () => {
      await order({ jumpMs })
      return () => order({ jumpMs: -jumpMs })
    }
    await inject('clock jump', server.url, wedge, { cause })
  })

  it('when the event loop stands still', async () => {
    const wedge = async () => {
      await order({ blockMs: 9_000 })
      return async () => undefined
    }
    const cause = /process: the event loop stood still for \d+ s of the last 15 s/
    await inject('blocked event loop', server.url, wedge, { cause })
  })

  it('when the process is stopped: it does not answer', async () => {
    const wedge = async () => {
      server.kill('SIGSTOP')
      return async () => server.kill('SIGCONT')
    }
    await inject('stopped process', server.url, wedge, { cause: /no answer/ })
  })
})
