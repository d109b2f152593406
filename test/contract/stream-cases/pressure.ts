import { type AppError, codeOf } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import type { OpenLog } from '../logs.ts'
import { call, failureOf, put, readAll, text } from './support.ts'

export function pressureCases(open: OpenLog): void {
  describe('too many bytes that wait', () => {
    it('OVERLOADED, with a pause and nothing of it appended; what waited gets in, and so does what comes later', async () => {
      const small = await open({ maxPendingBytes: 1_000_000 })
      try {
        // Some adapters write a third more than they are given.
        const filling = (letter: string, length: number) => ({
          ...{ partition: 0, count: 1 },
          bytes: Buffer.from(letter.repeat(length)),
        })
        const { log } = small
        const waiting = log.append([filling('a', 600_000)], call())
        const error = await failureOf(
          log.append([{ ...filling('b', 300_000), partition: 1 }, filling('b', 300_000)], call()),
        )
        expect(codeOf(error)).toBe('OVERLOADED')
        expect((error as AppError).retryAfterMs).toBeGreaterThan(0)
        const [range] = await waiting
        await put(log, 0, 'later')
        const other = await put(log, 1, 'later')
        expect((await readAll(log, range!.partition, 2)).map(({ bytes }) => text(bytes)[0])).toEqual(['a', 'l'])
        expect((await readAll(log, other.partition, 1)).length).toBe(1)
      } finally {
        await small.close()
      }
    })

    it('BODY_TOO_LARGE for what would never get in, with nothing of it appended', async () => {
      const small = await open({ maxPendingBytes: 1_000_000 })
      try {
        const half = { partition: 0, count: 1, bytes: Buffer.alloc(500_001) }
        const error = await failureOf(small.log.append([half, { ...half, partition: 1 }], call()))
        expect([codeOf(error), (error as AppError).message]).toEqual([
          'BODY_TOO_LARGE',
          expect.stringMatching(/1000000 bytes/),
        ])
        const range = await put(small.log, 0, 'later')
        expect((await readAll(small.log, range.partition, 1)).map(({ bytes }) => text(bytes))).toEqual(['later'])
      } finally {
        await small.close()
      }
    })
  })
}
