import { type Clock, codeOf, messageOf, type Random, systemRandom } from '@splitstream/kernel'
import type { FollowPage } from '@splitstream/storage/contract'
import { heartbeat, message, problem, retry, standing } from '../domain/event-stream.ts'

/** After so long without anything else there is a heartbeat, ms: proxies cut what is silent, most after 60 s. */
const heartbeatMs = 15_000
/** Clients that lost their stream come back after this, ms; those of a process that stops not all at once. */
const [retryMs, retrySpreadMs] = [1_000, 2_000]
/** Events are handed over in pieces of about so many characters. */
const pieceChars = 64 * 1024

/**
 * Pages as the text of server-sent events. A page is asked for when the one before was taken whole. It ends with the pages, and
 * when the process is asked to stop: the client is told to come back, and resumes at another process, or at this one's next life.
 * Nothing is thrown: what goes wrong is said in the stream.
 */
export async function* writeStream(
  pages: AsyncIterator<FollowPage, void>,
  clock: Clock,
  stopping: AbortSignal | undefined,
  random: Random = systemRandom,
): AsyncGenerator<Uint8Array, void> {
  const stop = Promise.withResolvers<'stop'>()
  const onStop = (): void => stop.resolve('stop')
  stopping?.addEventListener('abort', onStop)
  if (stopping?.aborted) onStop()
  try {
    yield Buffer.from(retry(retryMs))
    for (let next = pages.next(); ; ) {
      const woken = new AbortController()
      const beat = clock.sleep(heartbeatMs, woken.signal).then(nothing, nothing)
      const what = await Promise.race([next, stop.promise, beat]).finally(() => woken.abort())
      if (what === undefined) yield Buffer.from(heartbeat)
      else if (what === 'stop' || what.done) break
      else {
        yield* piecesOf(what.value)
        next = pages.next()
      }
    }
    yield Buffer.from(retry(retryMs + random.fraction() * retrySpreadMs))
  } catch (error) {
    yield Buffer.from(problem(codeOf(error), messageOf(error)))
  } finally {
    stopping?.removeEventListener('abort', onStop)
  }
}

const nothing = (): undefined => undefined

function* piecesOf({ events, position }: FollowPage): Generator<Uint8Array> {
  let text = ''
  for (const event of events) {
    text += message(event)
    if (text.length < pieceChars) continue
    yield Buffer.from(text)
    text = ''
  }
  yield Buffer.from(text + standing(position))
}
