import type { Clock } from '@splitstream/kernel'
import { type ApiAnswer, type Connection, call } from '../api.ts'

/**
 * Asks for one event `after` the position: that is answered once everything up to there is queryable. missing: not within
 * `ms`, or the server does not know the position; unasked: the key may not query; unreachable: no answer at the end.
 */
export async function awaitStored(
  connection: Connection,
  position: string,
  ms: number,
  clock: Clock,
): Promise<'stored' | 'missing' | 'unasked' | 'unreachable'> {
  const deadline = clock.monotonic() + ms
  let answer: ApiAnswer | undefined
  while (clock.monotonic() < deadline) {
    try {
      answer = await call(connection, 'GET', `/v1/events?limit=1&after=${encodeURIComponent(position)}`)
    } catch {
      answer = undefined // the connection was cut: asked again until the deadline
    }
    if (answer && answer.status < 300) return 'stored'
    if (answer && (answer.status === 401 || answer.status === 403)) return 'unasked'
    if (answer && answer.status < 500 && answer.status !== 429) return 'missing'
    await clock.sleep(200)
  }
  return answer ? 'missing' : 'unreachable'
}
