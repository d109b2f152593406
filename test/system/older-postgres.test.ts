import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { serverProcesses, signal } from '../chaos/processes.ts'
import type { RunningServer } from '../support/server.ts'
import { trimLog } from './damage.fixture.ts'
import { ask, figures, newDataDir, once, poll, post, send, start } from './lives.fixture.ts'

/** The share of one core that the process takes for two seconds, outside the kernel. */
async function idleCpu(server: RunningServer): Promise<number> {
  const seconds = async (): Promise<number> => {
    const text = await (await ask(server.url, 'GET', '/metrics')).text()
    return Number(/^process_cpu_time_seconds_total{cpu_mode="user"} (\S+)$/m.exec(text)?.[1])
  }
  const before = await seconds()
  await delay(2_000)
  return ((await seconds()) - before) / 2
}

describe('an older Postgres, restored beside a newer log and a newer ClickHouse', () => {
  const size = 1_000
  const [recorded, end] = [3 * size, 8 * size]

  it.each([
    ['still has all that is not recorded', 2 * size],
    ['begins after what is recorded', 5 * size],
    ['has nothing any more', end],
  ])('goes on where it can when the log %s, and stores nothing twice', async (_, logBegins) => {
    const dir = await newDataDir()
    const env = { LOG_PARTITIONS: '1' }
    const first = await start(dir, env)
    for (let from = 0; from < recorded; from += size) await send(first.url, from, size)
    await first.stop()
    await cp(join(dir, 'postgres'), join(dir, 'backup'), { recursive: true })
    const second = await start(dir, env)
    for (let from = recorded; from < end; from += size) await send(second.url, from, size)
    await second.stop()

    trimLog(dir, logBegins)
    await rm(join(dir, 'postgres'), { recursive: true })
    await cp(join(dir, 'backup'), join(dir, 'postgres'), { recursive: true })

    const third = await start(dir, env)
    if (logBegins > recorded)
      expect(third.output()).toContain('the record of what is stored ends before the log begins')
    // What it does at its start may take a while; a loop that never ends takes a whole core, for ever.
    await expect.poll(() => idleCpu(third)).toBeLessThan(0.3)
    for (let from = 0; from < end; from += size) await send(third.url, from, size) // retries, all of them
    expect(await figures(third.url)).toEqual(once(0, end))
    await send(third.url, end, size)
    expect(await figures(third.url)).toEqual(once(0, end + size))
    await third.stop()
    // The record is right again, and nothing is taken for lost.
    const fourth = await start(dir, env)
    expect(fourth.output()).not.toContain('rows are missing')
    expect(await figures(fourth.url)).toEqual(once(0, end + size))
  })
  it.each([
    ['a part of', 2.5 * size],
    ['nothing of', 4 * size],
  ])('goes on when the log has %s what was under way when the copy was made', async (_, logBegins) => {
    const dir = await newDataDir()
    const env = { LOG_PARTITIONS: '1' }
    const first = await start(dir, env)
    await send(first.url, 0, size)
    signal(serverProcesses(dir).clickhouse!.pid, 'SIGSTOP') // what comes now is begun, and not done
    for (let from = size; from < 3 * size; from += size / 2) await post(first.url, from, size / 2, { query: '' })
    await delay(1_000) // the first of them is gathered and on record as pending
    first.kill('SIGKILL')
    await first.stop() // the engine that stands still does not notice
    await poll(async () => (serverProcesses(dir).all.length === 0 ? true : undefined))
    await cp(join(dir, 'postgres'), join(dir, 'backup'), { recursive: true })
    const second = await start(dir, env)
    for (let from = 3 * size; from < 6 * size; from += size) await send(second.url, from, size)
    await second.stop()
    trimLog(dir, logBegins)
    await rm(join(dir, 'postgres'), { recursive: true })
    await cp(join(dir, 'backup'), join(dir, 'postgres'), { recursive: true })
    const third = await start(dir, env)
    expect(third.output()).toContain('a range that was begun is no longer in the log')
    for (let from = 0; from < 6 * size; from += size) await send(third.url, from, size)
    expect(await figures(third.url)).toEqual(once(0, 6 * size))
  })
})
