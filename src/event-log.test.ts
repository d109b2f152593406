import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Lifecycle, silentLogger, systemCall, systemClock, untilAborted } from '@splitstream/kernel'
import { expect, it, vi } from 'vitest'
import { loadConfig } from './config.ts'
import { openLogInDataDir } from './event-log.ts'

it('a module that took from the log in DATA_DIR, and does not run any more, is missed', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'splitstream-event-log-'))
  const config = loadConfig({ DATA_DIR: dir, MIN_FREE_BYTES: '0', LOG_PARTITIONS: '1' })
  const warn = vi.fn()
  const logger = { ...silentLogger, warn }
  try {
    for (const groups of [['storage', 'sagas'], ['storage']]) {
      const lifecycle = new Lifecycle(silentLogger)
      const log = await openLogInDataDir({ appends: true, groups }, { config, clock: systemClock, logger, lifecycle })
      const entry = { partition: 0, count: 1, bytes: Buffer.from('event') }
      await log.append([entry], systemCall(systemClock, 10_000, new AbortController().signal))
      for (const group of groups) {
        const committed = Promise.withResolvers<void>()
        const consumption = await log.consume(group, async (lane) => {
          await lane.commit(1)
          committed.resolve()
          await untilAborted(lane.signal)
        })
        await committed.promise
        await consumption.stop()
      }
      await lifecycle.stop()
    }
    expect(warn.mock.calls).toEqual([[expect.stringContaining('sagas took from this log before'), { behind: 0 }]])
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
