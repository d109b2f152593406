import { AppError, type Call, type LogAppend, whyAborted } from '@splitstream/kernel'

export interface AppendLimits {
  readonly partitions: number
  /** That may wait at once: an append of more would never get in. */
  readonly maxPendingBytes: number
}

/**
 * What every log refuses before anything of an append has an effect.
 * @returns bytes of all entries
 * @throws AppError CANCELLED, INTERNAL, BODY_TOO_LARGE
 */
export function checkAppend(
  entries: readonly LogAppend[],
  { partitions, maxPendingBytes }: AppendLimits,
  call: Call,
): number {
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
  const bytes = entries.reduce((sum, entry) => sum + entry.bytes.length, 0)
  if (bytes <= maxPendingBytes) return bytes
  const most = `The event log takes up to ${maxPendingBytes} bytes of events at once`
  throw new AppError('BODY_TOO_LARGE', `${most}: send them in several requests`)
}
