import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, expect, it, vi } from 'vitest'
import { startEmbeddedPostgres } from '../../src/engines/postgres/embedded.ts'
import { disksUnavailable, fillDisk, makeImage, mountImage, mountTmpfs, unmount } from '../chaos/mounts.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { describeUnless } from '../support/suite.ts'
import { inject, look, patienceMs, watchFor } from './wedges.fixture.ts'

const mib = 1 << 20
const cleanups: (() => unknown)[] = []

vi.setConfig({ testTimeout: patienceMs })

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
}, patienceMs)

/** A folder whose `log` is a disk of its own. */
async function newDisk(mount: (log: string, dir: string) => void): Promise<{ dir: string; log: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-wedges-'))
  cleanups.push(() => rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }))
  const log = join(dir, 'data', 'log')
  mkdirSync(log, { recursive: true })
  mount(log, dir)
  cleanups.push(() => unmount(log))
  return { dir, log }
}

async function start(dir: string, env: Record<string, string> = {}): Promise<RunningServer> {
  const server = await startServer({ dataDir: join(dir, 'data'), env: { LOG_LEVEL: 'warn', ...env } })
  cleanups.push(() => server.stop())
  return server
}

const post = ({ url, adminKey }: RunningServer, id: string, pad = 0): Promise<number> =>
  fetch(`${url}/v1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ id, source: '/wedges', type: 'wedge', data: 'x'.repeat(pad) }),
  }).then(({ status }) => status)

const image = (log: string, dir: string): void => {
  makeImage(join(dir, 'disk.img'), 64)
  mountImage(join(dir, 'disk.img'), log)
}

const unavailable = disksUnavailable()

describeUnless(unavailable, 'readiness turns red within 15 s, with the cause', () => {
  it('when the disk of the log does not come to the end of a write; green again, and nothing is lost', async () => {
    const { dir, log } = await newDisk(image)
    const server = await start(dir, { MIN_FREE_BYTES: '0' })
    expect(await post(server, 'before')).toBe(202)
    let answer: Promise<number> | undefined
    const wedge = async () => {
      execFileSync('fsfreeze', ['-f', log])
      answer = post(server, 'meanwhile')
      return async () => execFileSync('fsfreeze', ['-u', log])
    }
    await inject('stalled disk', server.url, wedge, { cause: /log: an append has waited for 1?\d s to become durable/ })
    expect(await answer).toBe(202)
  })

  it('when the disk of the log fails; then the process ends, for another one on a good disk', async () => {
    // The image is on a disk with less room than the image has: once that is full, new blocks of it cannot be written.
    const { dir } = await newDisk((log, folder) => {
      const below = join(folder, 'below')
      mountTmpfs(below, 40)
      cleanups.push(() => unmount(below))
      makeImage(join(below, 'disk.img'), 256)
      mountImage(join(below, 'disk.img'), log)
    })
    const server = await start(dir, { MIN_FREE_BYTES: '0' })
    expect(await post(server, 'before')).toBe(202)
    fillDisk(join(dir, 'below', 'filler'), join(dir, 'below'), 0)
    const from = performance.now()
    for (let i = 0; performance.now() - from < 15_000; i++) {
      const { ready } = await look(server.url)
      if (!ready) break
      await Promise.race([post(server, `${i}`, 500_000), delay(1_000)])
    }
    expect((await look(server.url)).cause).toMatch(/log: the event log failed: /)
    process.stderr.write(`failed disk: red after ${Math.round(performance.now() - from)} ms\n`)
    expect(await server.exited).toMatchObject({ code: 1 })
    expect(server.output()).toContain('the event log cannot be written')
  })

  it('when there is no room for events, and the process is for nothing else', async () => {
    const { dir, log } = await newDisk((disk) => mountTmpfs(disk, 128))
    const postgres = await startEmbeddedPostgres({ dataDir: join(dir, 'postgres') })
    cleanups.push(() => postgres.stop())
    const env = { MODULES: 'ingest,storage', POSTGRES_URL: postgres.url, MIN_FREE_BYTES: `${32 * mib}` }
    const server = await start(dir, env)
    const filler = join(log, 'filler')
    const wedge = async () => {
      fillDisk(filler, log, 8 * mib)
      return async () => rmSync(filler)
    }
    await inject('full disk', server.url, wedge, { cause: /log: .*there is no room for events/ })
    expect(await post(server, 'after')).toBe(202)
  })
})

describeUnless(unavailable, 'a full disk', () => {
  it('leaves a process ready that serves queries: it says 507 to those who send', async () => {
    const { dir, log } = await newDisk((disk) => mountTmpfs(disk, 128))
    const server = await start(dir, { MIN_FREE_BYTES: `${32 * mib}` })
    fillDisk(join(log, 'filler'), log, 8 * mib)
    expect(await watchFor(server.url, 15_000)).toEqual([])
    expect(await post(server, 'no')).toBe(507)
  })
})
