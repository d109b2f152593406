import { AppError, type Call, type LogAppend, whyAborted } from '@splitstream/kernel'

/** What every log refuses before anything of an append has an effect. @throws AppError CANCELLED, INTERNAL */
export function checkAppend(entries: readonly LogAppend[], partitions: number, call: Call): void {
  if (call.signal.aborted) throw whyAborted(call.signal)
  if (entries.length === 0) throw new AppError('INTERNAL', 'An append needs at least one entry')
  for (const { partition, count } of entries) {
    if (!Number.isInteger(partition) || partition < 0 || partition >= partitions) {
      throw new AppError('INTERNAL', `There is no partition ${partition}`)
    }
    if (!Number.isSafeInteger(count) || count < 1) {
      throw new AppError('INTERNAL', `An entry cannot have ${count} events`)
    }
  }
}
