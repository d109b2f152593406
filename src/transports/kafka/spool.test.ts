import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type AppError, codeOf } from '@splitstream/kernel'
import { afterEach, describe, expect, it } from 'vitest'
import { freePorts } from '../../../test/support/kafka/ports.ts'
import { openLocalLog } from '../log/local-log.ts'
import { Cleanups, call, entry, text } from './kafka.fixture.ts'
import type { KafkaLogOptions } from './log.ts'

const cleanups = new Cleanups()
afterEach(() => cleanups.run())

/** A log whose brokers are not there. */
async function options(more: Partial<KafkaLogOptions> = {}): Promise<KafkaLogOptions> {
  return cleanups.options([await deadBroker()], 'nowhere', { startMs: 100, ...more })
}

async function deadBroker(): Promise<string> {
  const [port] = await freePorts(1)
  return `127.0.0.1:${port}`
}

async function frozenBroker(): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => sockets.add(socket.on('error', () => undefined)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.add(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('the spool while no broker is there', () => {
  it('takes what is appended, in order and durably, over restarts', async () => {
    const o = await options()
    const log = await cleanups.log(o)
    expect(await log.append([entry(0, 'a'), entry(1, 'other')], call())).toEqual([])
    expect(await log.append([entry(0, 'b')], call())).toEqual([])
    expect(log.health().state).toBe('degraded')
    await log.stop()
    const again = await cleanups.log(o)
    // At once now: it is known that something is waiting already.
    const begun = performance.now()
    expect(await again.append([entry(0, 'c')], call())).toEqual([])
    expect(performance.now() - begun).toBeLessThan(5_000)
    await again.stop()

    const spool = await openLocalLog({ ...o, dir: o.spoolDir! })
    cleanups.add(() => spool.stop())
    const found = Promise.withResolvers<string[]>()
    const consumption = await spool.consume('test', async (lane) => {
      const records = await lane.read(0, { maxEvents: 100, maxBytes: 1 << 20, waitMs: 0 })
      if (lane.partition === 0) found.resolve(records.map(text))
    })
    expect(await found.promise).toEqual(['a', 'b', 'c'])
    await consumption.stop()
  })

  it.each([
    ['refuse connections', () => deadBroker()],
    ['take connections and never answer', () => frozenBroker()],
  ])('is where everything goes at once, when it is known that brokers %s', async (_, broker) => {
    const log = await cleanups.log(await options({ brokers: [await broker()] }))
    const took = async (...partitions: number[]): Promise<number> => {
      const from = performance.now()
      const appends = partitions.map((partition) => log.append([entry(partition, 'x')], call()))
      expect(await Promise.all(appends)).toEqual(partitions.map(() => []))
      return performance.now() - from
    }
    // Each would wait for a broker for a quarter of a minute.
    for (const partition of [0, 0, 1, 2, 3]) expect(await took(partition)).toBeLessThan(5_000)
    expect(await took(0, 1, 2, 3, 0, 1, 2, 3)).toBeLessThan(5_000)
    expect(log.health().state).toBe('degraded')
  })

  it('is bounded: UNAVAILABLE with a pause, and what is in it stays', async () => {
    const log = await cleanups.log(await options({ maxSpoolBytes: 3_000_000 }))
    const megabyte = 'x'.repeat(1_000_000)
    for (let i = 0; i < 2; i++) expect(await log.append([entry(0, megabyte)], call())).toEqual([])
    const refused = await log.append([entry(1, megabyte)], call()).catch((error: unknown) => error)
    expect(codeOf(refused)).toBe('UNAVAILABLE')
    expect((refused as AppError).retryAfterMs).toBeGreaterThan(0)
    expect(await log.append([entry(1, 'small')], call())).toEqual([])
  })

  it('a record that Kafka would never take is refused at once', async () => {
    const log = await cleanups.log(await options())
    const bytes = Buffer.alloc(32 << 20)
    const refused = await log.append([{ partition: 0, count: 1, bytes }], call()).catch((error: unknown) => error)
    expect(codeOf(refused)).toBe('BODY_TOO_LARGE')
    const many = await log.append([{ ...entry(0, 'x'), count: 65_537 }], call()).catch((error: unknown) => error)
    expect(codeOf(many)).toBe('INTERNAL')
  })

  it('the stop does not wait for brokers', async () => {
    const log = await cleanups.log(await options())
    await log.append([entry(0, 'a')], call())
    await log.consume('waiting', async () => undefined)
    const begun = performance.now()
    await log.stop()
    expect(performance.now() - begun).toBeLessThan(8_000)
  })
})
