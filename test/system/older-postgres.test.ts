import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { RunningServer } from '../support/server.ts'
import { trimLog } from './damage.fixture.ts'
import { ask, figures, newDataDir, once, send, start } from './lives.fixture.ts'

/** The share of one core that the process takes while nothing happens. */
async function idleCpu(server: RunningServer): Promise<number> {
  const seconds = async (): Promise<number> => {
    const text = await (await ask(server.url, 'GET', '/metrics')).text()
    return Number(/^process_cpu_seconds_total (\S+)$/m.exec(text)?.[1])
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
    expect(await idleCpu(third)).toBeLessThan(0.3)
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
})
