import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { serverProcesses, signal } from '../chaos/processes.ts'
import { damageBiggestPart, trimLog } from './damage.fixture.ts'
import { ask, begin, figures, type Life, newDataDir, once, poll, post, send, start } from './lives.fixture.ts'

/** Why the process is not ready: events are gone. */
function awaitLoss({ url }: Life): Promise<string> {
  return poll(async () => {
    const response = await ask(url, 'GET', '/health/ready')
    const { reason } = ((await response.json()) as { parts: { storage: { reason?: string } } }).parts.storage
    return response.status === 503 && reason?.includes('are gone') ? reason : undefined
  })
}

async function acknowledgeLosses(url: string): Promise<number> {
  const answer = await ask(url, 'POST', '/v1/losses/acknowledge')
  return ((await answer.json()) as { acknowledgedEvents: number }).acknowledgedEvents
}

describe('a damaged part, which the engine drops in silence', () => {
  it('is noticed at the start and brought back from the log', async () => {
    const dir = await newDataDir()
    const first = await start(dir)
    for (let i = 0; i < 3; i++) await send(first.url, i * 5000, 5000)
    expect(await figures(first.url)).toEqual(once(0, 15_000))
    await first.stop()
    await damageBiggestPart(dir)
    const second = await start(dir)
    expect(second.output()).toContain('rows are missing from the events table')
    expect(await figures(second.url)).toEqual(once(0, 15_000))
    await send(second.url, 0, 5000) // and retries are still retries
    expect(await figures(second.url)).toEqual(once(0, 15_000))
  })

  it('keeps the process from being ready when the log no longer has the events, until an operator acknowledges', async () => {
    const dir = await newDataDir()
    const first = await start(dir)
    await send(first.url, 0, 5000)
    await first.stop()
    trimLog(dir)
    await damageBiggestPart(dir)
    const second = await begin(dir)
    expect(await awaitLoss(second)).toMatch(/5000 stored events are gone/)
    expect(await acknowledgeLosses(second.url)).toBe(5000)
    await second.ready
  })
})

describe('a retry that was under way when the process died', () => {
  it('is not stored in place of its event, whose part is damaged, so that the event would count as lost', async () => {
    const dir = await newDataDir()
    const first = await start(dir, { LOG_PARTITIONS: '1' })
    await send(first.url, 0, 5000)
    signal(serverProcesses(dir).clickhouse!.pid, 'SIGSTOP') // what comes now is begun, and not done
    await post(first.url, 0, 100, { query: '' })
    await delay(1_000) // it is gathered and on record as pending
    first.kill('SIGKILL')
    await first.stop()
    await poll(async () => (serverProcesses(dir).all.length === 0 ? true : undefined))
    await damageBiggestPart(dir)
    const second = await start(dir, { LOG_PARTITIONS: '1' })
    expect(second.output()).toContain('rows are missing from the events table')
    expect(await figures(second.url)).toEqual(once(0, 5000))
    await second.stop()
    const third = await start(dir, { LOG_PARTITIONS: '1' })
    expect(third.output()).not.toMatch(/rows are missing|more rows than were confirmed/)
  })
})

describe('a repair that is interrupted', () => {
  const requests = 100
  const size = 100
  const total = requests * size

  /** A data directory with one part, now damaged, whose events lie in as many records of the log as there were requests. */
  async function damaged(): Promise<string> {
    const dir = await newDataDir()
    // All wait for company, until somebody waits for them: so they make one part.
    const server = await start(dir, { STORAGE_LINGER_MS: '10000' })
    for (let i = 0; i < requests - 1; i++) {
      expect((await post(server.url, i * size, size, { query: '' })).status).toBe(202)
    }
    // A retry in the log has to be found out by a repair as well.
    for (let i = requests - 9; i < requests - 1; i++) await post(server.url, i * size, size, { query: '' })
    await send(server.url, total - size, size)
    expect(await figures(server.url)).toEqual(once(0, total))
    await server.stop()
    await damageBiggestPart(dir)
    return dir
  }

  /** Starts the server, which repairs in small steps, and kills it as soon as it has brought something back. */
  async function killWhileRepairing(dir: string): Promise<void> {
    const life = await begin(dir, { STORAGE_BLOCK_EVENTS: `${size}` })
    const output = life.ready.catch(String)
    const back = await poll(async () => (await figures(life.url)).n || undefined, { everyMs: 1 })
    // Nobody knows yet what cannot be brought back.
    expect(await acknowledgeLosses(life.url)).toBe(0)
    const { main } = serverProcesses(dir)
    expect(main && signal(main.pid, 'SIGKILL')).toBe(true)
    expect(await output).toContain('the server exited before it was ready (SIGKILL)')
    expect(back).toBeLessThan(total / 2)
  }

  it('goes on at the next start, loses nothing and doubles nothing', async () => {
    const dir = await damaged()
    await killWhileRepairing(dir)
    const server = await start(dir)
    expect(server.output()).toContain('rows are missing from the events table')
    expect(await figures(server.url)).toEqual(once(0, total))
    expect(await acknowledgeLosses(server.url)).toBe(0)
    await server.stop()
    // What it left on record is true: the next start finds nothing to do.
    const next = await start(dir)
    expect(next.output()).not.toMatch(/rows are missing|more rows than were confirmed/)
    expect(await figures(next.url)).toEqual(once(0, total))
  })

  it('tells exactly what the log no longer had, however often it was begun', async () => {
    const dir = await damaged()
    const trimmed = 10 * size
    trimLog(dir, trimmed)
    await killWhileRepairing(dir)
    const life = await begin(dir)
    expect(await awaitLoss(life)).toContain(`${trimmed} stored events are gone`)
    expect(await figures(life.url)).toEqual(once(trimmed, total))
    expect(await acknowledgeLosses(life.url)).toBe(trimmed)
    await life.ready
  })
})
