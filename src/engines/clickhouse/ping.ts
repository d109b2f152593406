import { AppError } from '@splitstream/kernel'
import { timeOf } from '../../http-date.ts'

/**
 * Whether one of the servers answers at all, whatever it has to do: `/ping` waits for no statement, and has a connection of its own
 * here. @returns what the clock of the first that answers says, ms since the epoch, if it does @throws AppError UNAVAILABLE
 */
export async function pingClickHouse(origins: readonly string[], signal: AbortSignal): Promise<number | undefined> {
  return await Promise.any(origins.map((origin) => ping(origin, signal))).catch((error: AggregateError) => {
    throw error.errors[0]
  })
}

async function ping(origin: string, signal: AbortSignal): Promise<number | undefined> {
  const answer = await fetch(new URL('/ping', origin), { signal }).catch((cause: unknown) => {
    throw new AppError('UNAVAILABLE', 'it is not reachable', { cause })
  })
  await answer.arrayBuffer()
  // A proxy before it may know no such path; it answers all the same.
  if (answer.status >= 500) throw new AppError('UNAVAILABLE', `it answers /ping with ${answer.status}`)
  return timeOf(answer.headers.get('date'))
}
