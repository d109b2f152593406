import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { startEmbeddedPostgres } from '../../src/engines/postgres/embedded.ts'
import { childrenOf, signal } from '../chaos/processes.ts'
import { newDataDir, send, start } from './lives.fixture.ts'

/* A process that is asked to stop ends, whatever stands still. */

it('while Postgres stands still', { timeout: 200_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-stop-'))
  const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres') })
  const server = await start(await newDataDir(), { POSTGRES_URL: postgres.url })
  await send(server.url, 0, 100)
  const frozen = [postgres.pid, ...childrenOf(postgres.pid)]
  for (const pid of frozen) signal(pid, 'SIGSTOP')
  try {
    const from = performance.now()
    server.kill('SIGTERM')
    const exit = await Promise.race([server.exited, new Promise((resolve) => setTimeout(resolve, 120_000))])
    const seconds = Math.round((performance.now() - from) / 1_000)
    expect(exit, server.output()).toMatchObject({ code: expect.any(Number) })
    expect(seconds).toBeLessThan(75)
  } finally {
    for (const pid of frozen) signal(pid, 'SIGCONT')
    server.kill('SIGKILL')
    await postgres.stop()
    await rm(folder, { recursive: true, force: true })
  }
})

it('with 1 after a minute, and the name of what does not stop', { timeout: 200_000 }, async () => {
  const preload = fileURLToPath(new URL('endless-stop-preload.fixture.mjs', import.meta.url))
  const server = await start(await newDataDir(), { NODE_OPTIONS: `--import=${preload}` })
  server.kill('SIGTERM')
  expect(await server.exited).toEqual({ code: 1, signal: null })
  expect(server.output()).toContain('Postgres has not ended after 60 s and is left')
})
