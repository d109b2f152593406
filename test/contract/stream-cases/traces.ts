import { describe, expect, it } from 'vitest'
import type { LogUnderTest } from '../logs.ts'
import { call, put, readAll } from './support.ts'

const traceOf = (digit: string): string => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`

export function traceCases(tested: () => LogUnderTest): void {
  describe('the trace context of an append', () => {
    it('comes with its record, and with no other', async () => {
      const { log, few } = tested()
      const entry = (digit?: string) => {
        const traceparent = digit === undefined ? undefined : traceOf(digit)
        return { partition: 0, count: few(2), bytes: Buffer.from('x'), traceparent }
      }
      const { partition } = await put(log, 0, 'first')
      // One commit, or one send, takes all of these.
      await Promise.all([
        log.append([entry('a')], call()),
        log.append([entry(), { ...entry('b'), partition: 1 }], call()),
        log.append([entry('c')], call()),
      ])
      const records = await readAll(log, partition, 4)
      expect(records.map((record) => record.traceparent)).toEqual([undefined, traceOf('a'), undefined, traceOf('c')])
    })

    it('is there when the log is opened again', async () => {
      const { partition } = await put(tested().log, 0, 'before')
      await tested().log.append(
        [{ partition: 0, count: 1, bytes: Buffer.from('x'), traceparent: traceOf('d') }],
        call(),
      )
      await tested().reopen()
      const records = await readAll(tested().log, partition, 2)
      expect(records.map((record) => record.traceparent)).toEqual([undefined, traceOf('d')])
    })
  })
}
