import type { Clock } from '@splitstream/kernel'
import type { Batch } from './batches.ts'
import type { LoadOptions } from './load.ts'
import { createSender } from './sender.ts'
import type { Tracker } from './tracker.ts'

const saveEveryMs = 1_000
/** How long a stopped load waits for the answers to what is on its way. */
const drainMs = 10_000

/**
 * Sends all batches, `inFlight` at a time, and saves a checkpoint every second. True when the end of the file was
 * reached, false when the signal came first. @throws the first failure, once nothing is in flight any more.
 */
export async function sendAll(
  options: LoadOptions,
  all: AsyncIterable<Batch>,
  tracker: Tracker,
  save: (finished: boolean) => Promise<void>,
  progress: () => void,
  clock: Clock,
): Promise<boolean> {
  const failure = new AbortController()
  const sender = createSender({
    ...options,
    connections: options.inFlight,
    onRetry: (reason, ms) => options.onNote?.(`sending again in ${Math.round(ms)} ms: ${reason}`),
  })
  const flying = new Set<Promise<void>>()
  const errors: unknown[] = []
  let saved = clock.monotonic()
  const fly = async (batch: Batch): Promise<void> => {
    const acknowledge = tracker.begin(batch)
    const nothing = { accepted: 0, rejected: 0, duplicates: 0, errors: [] }
    const receipt = batch.events === 0 ? nothing : await sender.send(batch.body, failure.signal)
    if (receipt.accepted + receipt.rejected !== batch.events) {
      throw new Error(`the server's receipt is about ${receipt.accepted + receipt.rejected} of ${batch.events} events`)
    }
    acknowledge(receipt)
    progress()
  }
  const stopped = options.signal ?? new AbortController().signal
  let late: NodeJS.Timeout | undefined
  const onStop = (): void => {
    late = setTimeout(() => failure.abort(), drainMs)
  }
  stopped.addEventListener('abort', onStop, { once: true })
  let reachedEnd = true
  try {
    for await (const batch of all) {
      const flight: Promise<void> = fly(batch).then(
        () => void flying.delete(flight),
        (error: unknown) => {
          flying.delete(flight)
          errors.push(error)
          failure.abort()
        },
      )
      flying.add(flight)
      while (flying.size >= options.inFlight) await Promise.race(flying)
      reachedEnd = !stopped.aborted && errors.length === 0
      if (!reachedEnd) break
      if (clock.monotonic() - saved >= saveEveryMs) {
        await save(false)
        saved = clock.monotonic()
      }
    }
    await Promise.all(flying)
  } finally {
    stopped.removeEventListener('abort', onStop)
    clearTimeout(late)
    failure.abort()
    await Promise.all(flying)
    sender.close()
  }
  if (errors.length > 0 && !stopped.aborted) throw errors[0]
  return reachedEnd && errors.length === 0
}
