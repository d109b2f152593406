import { join } from 'node:path'
import {
  type Consumption,
  type Lane,
  Lifecycle,
  type Postgres,
  silentLogger,
  systemCall,
  systemClock,
} from '@splitstream/kernel'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { loadConfig } from './config.ts'
import { type OpenLog, openLogInDataDir } from './event-log.ts'
import { LogHandover } from './log-handover.ts'
import { startTurns } from './log-turns.fixture.ts'
import { type LogName, LogTurns } from './log-turns.ts'

let world: Awaited<ReturnType<typeof startTurns>>
let postgres: Postgres

beforeAll(async () => {
  world = await startTurns()
  postgres = world.postgres
})
afterAll(() => world.stop())

const common = { clock: systemClock, logger: silentLogger }

/** A process with a log, a local one whatever it is called, in which the group takes an event each `slowMs`. */
async function startProcess(name: LogName, taken: string[], slowMs: number) {
  const lifecycle = new Lifecycle(silentLogger)
  const config = loadConfig({ DATA_DIR: join(world.folder, name), MIN_FREE_BYTES: '0', LOG_PARTITIONS: '1' })
  const log = await openLogInDataDir({ appends: true, groups: [] }, { config, ...common, lifecycle })
  const handover = new LogHandover({ log, turns: new LogTurns(postgres, name, name), writes: true, ...common })
  await handover.enter()
  const take = async (lane: Lane): Promise<void> => {
    for (let next = await lane.committed(); !lane.signal.aborted; ) {
      for (const record of await lane.read(next, { maxEvents: 1, maxBytes: 1, waitMs: 100 })) {
        await systemClock.sleep(slowMs)
        taken.push(Buffer.from(record.bytes).toString())
        next = record.baseOffset + 1
        await lane.commit(next)
      }
    }
  }
  const consumption: Consumption = await handover.consume('storage', take)
  return {
    handover,
    append: (text: string) =>
      handover.append(
        [{ partition: 0, count: 1, bytes: Buffer.from(text) }],
        systemCall(systemClock, 10_000, new AbortController().signal),
      ),
    stop: async () => {
      await handover.finish()
      await consumption.stop()
      await handover.leave()
      await lifecycle.stop()
    },
  }
}

it('what is in one log is taken before what is in the next, over a stop that waits for it', async () => {
  const taken: string[] = []
  const one = await startProcess('local', taken, 20)
  await vi.waitFor(() => expect(one.handover.health()).toEqual({ state: 'ok' }))
  const other = await startProcess('kafka', taken, 0)
  for (let i = 0; i < 50; i++) await one.append(`local ${i}`)
  for (let i = 0; i < 5; i++) await other.append(`kafka ${i}`)
  await vi.waitFor(() => {
    expect(other.handover.health()).toEqual({ state: 'degraded', reason: expect.stringContaining('local') })
  })
  expect(one.handover.health()).toEqual({ state: 'ok' })
  await one.stop()
  await vi.waitFor(() => expect(taken).toHaveLength(55))
  expect(taken.map((text) => text.slice(0, 5))).toEqual([...Array(50).fill('local'), ...Array(5).fill('kafka')])
  expect(other.handover.health()).toEqual({ state: 'ok' })
  await other.stop()
})

it('a stop that nobody follows waits for nothing', async () => {
  const taken: string[] = []
  const one = await startProcess('kafka', taken, 300)
  for (let i = 0; i < 50; i++) await one.append(`${i}`)
  const from = performance.now()
  await one.stop()
  expect(performance.now() - from).toBeLessThan(2_000)
  expect(taken.length).toBeLessThan(20)
})

it('a process of a group that is given no partition is ready all the same', async () => {
  const log = { health: () => ({ state: 'ok' as const }), consume: async () => ({}), lag: async () => 0 }
  const turns = new LogTurns(postgres, 'kafka', 'idle')
  const handover = new LogHandover({ log: log as unknown as OpenLog, turns, writes: true, ...common })
  await handover.enter()
  await handover.consume('idle', async () => undefined)
  await vi.waitFor(() => expect(handover.health()).toEqual({ state: 'ok' }))
  await handover.leave()
})
