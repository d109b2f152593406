import { codeOf, type LogAppend } from '@splitstream/kernel'
import { describe, expect, it } from 'vitest'
import type { LogUnderTest } from '../logs.ts'
import { call, failureOf, put, readAll, text } from './support.ts'

const good: LogAppend = { partition: 1, count: 1, bytes: Buffer.from('good') }

export function refusalCases(tested: () => LogUnderTest): void {
  /** Between an append before and one after, nothing came in. */
  async function expectNothing(refused: () => Promise<unknown>, code: string): Promise<void> {
    const { log } = tested()
    await put(log, 1, 'before')
    expect(codeOf(await failureOf(refused()))).toBe(code)
    const { partition } = await put(log, 1, 'after')
    expect((await readAll(log, partition, 2)).map(({ bytes }) => text(bytes))).toEqual(['before', 'after'])
  }

  describe('refused, with nothing of it appended', () => {
    it('no entries: INTERNAL', () => expectNothing(() => tested().log.append([], call()), 'INTERNAL'))

    it.each([4, -1, 0.5, Number.NaN])('a partition %s: INTERNAL', (partition) =>
      expectNothing(() => tested().log.append([good, { ...good, partition }], call()), 'INTERNAL'),
    )

    it.each([0, -1, 1.5, Number.NaN])('an entry of %s events: INTERNAL', (count) =>
      expectNothing(() => tested().log.append([good, { ...good, count }], call()), 'INTERNAL'),
    )

    it('a caller that went away before: CANCELLED', () =>
      expectNothing(() => tested().log.append([good], call(AbortSignal.abort())), 'CANCELLED'))

    it('after the stop: STOPPING, for appends and for consumers', async () => {
      const { log } = tested()
      await put(log, 1, 'before')
      await tested().stop()
      expect(codeOf(await failureOf(log.append([good], call())))).toBe('STOPPING')
      expect(codeOf(await failureOf(log.consume('late', async () => {})))).toBe('STOPPING')
      await tested().reopen()
      const { partition } = await put(tested().log, 1, 'after')
      expect((await readAll(tested().log, partition, 2)).map(({ bytes }) => text(bytes))).toEqual(['before', 'after'])
    })
  })
}
