import { codeOf, type EventLog, type Lane, untilAborted } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import type { LogUnderTest } from '../logs.ts'
import { hold, put, readRecords, text, until } from './support.ts'

/** Keeps the book of who holds which partition, and notes whenever two do. */
class Book {
  readonly holders = new Map<number, string>()
  readonly clashes: string[] = []

  of(name: string): number[] {
    return [...this.holders].filter(([, holder]) => holder === name).map(([partition]) => partition)
  }

  readonly handler = (name: string) => async (lane: Lane) => {
    const other = this.holders.get(lane.partition)
    if (other !== undefined) this.clashes.push(`${lane.partition} is held by ${other} and given to ${name}`)
    this.holders.set(lane.partition, name)
    await untilAborted(lane.signal)
    if (this.holders.get(lane.partition) === name) this.holders.delete(lane.partition)
  }
}

export function laneCases(tested: () => LogUnderTest): void {
  describe('lanes', () => {
    it('cover every partition exactly once', async () => {
      const { log } = tested()
      const all = Array.from({ length: log.partitions }, (_, p) => put(log, p, 'x'))
      const numbers = (await Promise.all(all)).map(({ partition }) => partition)
      const book = new Book()
      const consumption = await log.consume('cover', book.handler('one'))
      await until(() => book.holders.size === log.partitions)
      expect([...book.holders.keys()].sort()).toEqual(numbers.sort())
      expect(book.clashes).toEqual([])
      await consumption.stop()
      expect(book.holders.size).toBe(0)
    })

    it('are held by one of two consumers of a group at a time; a consumer that cannot share is refused', async () => {
      const { log } = tested()
      const book = new Book()
      const first = await log.consume('shared', book.handler('first'))
      await until(() => book.holders.size === log.partitions)
      const second = await secondConsumer(log, book)
      const shared = (): boolean => book.of('first').length > 0 && book.of('second').length > 0
      await until(() => book.holders.size === log.partitions && (second === undefined || shared()))
      await first.stop()
      const last = second ?? (await log.consume('shared', book.handler('second')))
      await until(() => book.of('second').length === log.partitions)
      expect(book.clashes).toEqual([])
      await last.stop()
    })

    it('a handler that throws is run again, and nothing is skipped', async () => {
      const { log } = tested()
      const { partition } = await put(log, 0, 'a')
      for (const value of ['b', 'c', 'd']) await put(log, 0, value)
      const done: string[] = []
      let runs = 0
      const consumption = await log.consume('throwing', async (lane) => {
        if (lane.partition !== partition) return untilAborted(lane.signal)
        const run = ++runs
        for (let next = await lane.committed(); done.length < 4; ) {
          // All that is there is read, and one of it is done: the others must come again.
          const [record] = await lane.read(next, { maxEvents: 100, maxBytes: 1 << 20, waitMs: 1_000 })
          if (!record) continue
          if (run === 1) throw new Error('it fails after it has read')
          done.push(text(record.bytes))
          next = record.baseOffset + record.count
          await lane.commit(next)
          if (run < 4) throw new Error('it fails after it has committed')
        }
        await untilAborted(lane.signal)
      })
      await until(() => done.length === 4)
      await consumption.stop()
      expect(done).toEqual(['a', 'b', 'c', 'd'])
    })

    it('a handler that returns is run again', async () => {
      const { log } = tested()
      const runs = new Map<number, number>()
      const consumption = await log.consume('returning', async ({ partition }) => {
        runs.set(partition, (runs.get(partition) ?? 0) + 1)
      })
      await until(() => runs.size === log.partitions && [...runs.values()].every((count) => count > 1))
      await consumption.stop()
    })

    it('a slow one does not hold up the others', async () => {
      const { log } = tested()
      const all = Array.from({ length: log.partitions }, (_, p) => put(log, p, 'first'))
      const [slow, ...others] = (await Promise.all(all)).map(({ partition }) => partition)
      const held = await hold(log, 'slow')
      // It has taken one record of many, and is busy with it from here on.
      const lane = await held.of(slow!)
      await lane.read(0, { maxEvents: 1, maxBytes: 1, waitMs: 10_000 })
      for (let i = 0; i < 3; i++) {
        const bytes = Buffer.alloc(100_000, i)
        await Promise.all(Array.from({ length: log.partitions }, (_, p) => put(log, p, bytes)))
        for (const other of others) await readRecords(await held.of(other), 0, 2 + i)
      }
      expect((await readRecords(lane, 0, 4)).map(({ bytes }) => bytes.length)).toEqual([5, 100_000, 100_000, 100_000])
      await held.stop()
    })

    it('stop aborts their signals, and waits for their handlers', async () => {
      const { log } = tested()
      const release = Promise.withResolvers<void>()
      const seen: Lane[] = []
      let ended = 0
      const consumption = await log.consume('stopping', async (lane) => {
        seen.push(lane)
        await untilAborted(lane.signal)
        await release.promise
        ended++
      })
      await until(() => seen.length === log.partitions)
      expect(seen.some(({ signal }) => signal.aborted)).toBe(false)
      let stopped = false
      const stop = consumption.stop().then(() => {
        stopped = true
      })
      await until(() => seen.every(({ signal }) => signal.aborted))
      await put(log, 0, 'meanwhile')
      expect(stopped).toBe(false)
      release.resolve()
      await stop
      expect(ended).toBe(log.partitions)
      expect(seen.length).toBe(log.partitions)
    })

    it('the stop of the log ends them too', async () => {
      const { log } = tested()
      const held = await hold(log, 'ended')
      await until(() => held.lanes.size === log.partitions)
      const signals = [...held.lanes.values()].map(({ signal }) => signal)
      await tested().stop()
      expect(signals.every(({ aborted: gone }) => gone)).toBe(true)
      expect(held.lanes.size).toBe(0)
    })
  })
}

/** Undefined when the log says that a second one cannot be. */
async function secondConsumer(log: EventLog, book: Book) {
  try {
    return await log.consume('shared', book.handler('second'))
  } catch (error) {
    expect(codeOf(error)).toBe('CONFLICT')
    return undefined
  }
}
