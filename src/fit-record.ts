import { openRecord, type RecordLimits, splitRecord } from '@splitstream/ingest/contract'
import { AppError, type LogAppend, type LogRecord } from '@splitstream/kernel'

type Part = Pick<LogAppend, 'count' | 'bytes'>

/**
 * A record of one log as another one takes it: cut between its events if it is too large. One that is damaged is cut anywhere:
 * its pieces become dead letters, as it would.
 * @throws AppError CONFIG_INVALID when an event alone is too large
 */
export function fitRecord({ partition, baseOffset, count, bytes, corrupt }: LogRecord, limits: RecordLimits): Part[] {
  // A damaged row stands for all the records that were in it, and no reader believes its count.
  if (corrupt || !isRecord(bytes)) return pieces(bytes, limits.maxBytes)
  if (count <= limits.maxEvents && bytes.length <= limits.maxBytes) return [{ count, bytes }]
  try {
    return splitRecord(bytes, limits)
  } catch (error) {
    const at = `partition ${partition}, offset ${baseOffset}`
    throw new AppError(
      'CONFIG_INVALID',
      `the local log holds an event (${at}) that is too large for the new log, which takes ${limits.maxBytes} bytes: ` +
        'start with LINK_EVENTS=local until all is stored, then move',
      { cause: error },
    )
  }
}

function isRecord(bytes: Uint8Array): boolean {
  try {
    openRecord(bytes)
    return true
  } catch {
    return false
  }
}

function pieces(bytes: Uint8Array, maxBytes: number): Part[] {
  const parts = Array.from({ length: Math.ceil(bytes.length / maxBytes) }, (_, i) =>
    bytes.subarray(i * maxBytes, (i + 1) * maxBytes),
  )
  return parts.map((part) => ({ count: 1, bytes: part }))
}
