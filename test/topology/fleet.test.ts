import { access } from 'node:fs/promises'
import { dirname } from 'node:path'
import { expect, it } from 'vitest'
import { isReady } from '../../src/cli/server-process.ts'
import { startFleet } from '../support/fleet.ts'

/** What other tests build on. */
it('a fleet knows who serves what; its processes die, pause and come back; it leaves nothing behind', async () => {
  const fleet = await startFleet({
    processes: [
      { name: 'writer', modules: ['ingest', 'storage'], env: { LOG_LEVEL: 'warn' } },
      { name: 'reader', modules: ['query'] },
    ],
    events: 'local',
  })
  const writer = fleet.process('writer')
  const reader = fleet.process('reader')
  try {
    expect([fleet.urlFor('ingest'), fleet.urlFor('query'), fleet.urlsFor('storage')]).toEqual([
      writer.url,
      reader.url,
      [writer.url],
    ])
    expect(() => fleet.process('nobody')).toThrow('nobody')
    expect([writer.env.LOG_LEVEL, reader.env.LOG_LEVEL]).toEqual(['warn', 'info'])
    const { pid } = reader
    await reader.kill()
    expect([reader.pid, await isReady(reader.url)]).toEqual([undefined, false])
    await reader.start()
    expect(await isReady(reader.url)).toBe(true)
    expect(reader.pid).not.toBe(pid)
    reader.pause()
    expect(await isReady(reader.url)).toBe(false)
    reader.resume()
    expect(await isReady(reader.url)).toBe(true)
    await expect(reader.start()).rejects.toThrow('runs already')
  } finally {
    // One that is being started when the fleet stops does not outlive it.
    const restart = reader.restart().catch((error: Error) => error.message)
    await fleet.stop()
    await restart
  }
  expect([await isReady(writer.url), await isReady(reader.url)]).toEqual([false, false])
  await expect(access(dirname(writer.dataDir))).rejects.toThrow()
})

it('a fleet whose process does not get ready says why, and leaves nothing behind', async () => {
  const bad = { name: 'bad', modules: ['query'] as const, env: { LOG_PARTITIONS: 'many' } }
  const good = { name: 'good', modules: ['ingest', 'storage'] as const }
  await expect(startFleet({ processes: [good, bad], events: 'local' })).rejects.toThrow(
    /bad \(query\)[\s\S]*LOG_PARTITIONS/,
  )
})
