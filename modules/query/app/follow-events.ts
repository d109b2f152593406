import { AppError, type Call, type Clock, catalogue, codeOf, systemCall } from '@splitstream/kernel'
import type { FollowInput, FollowPage, StorageRead } from '@splitstream/storage/contract'

/** To open a stream at storage, ms. */
const openMs = 30_000
/** Storage brings a page at least every 10 s; one that brings none for so long is taken for dead, ms. */
const silenceMs = 45_000
/** While storage is away, e.g. because it is restarted: between two tries, and until the stream is given up, ms. */
const [pauseMs, patienceMs] = [500, 60_000]

export interface FollowDeps {
  readonly storage: StorageRead
  readonly clock: Clock
}

/**
 * The pages of storage.read's `follow`, beyond the life of the storage process that serves them. States:
 *
 *   following → (the stream ends or fails) lost → following again from the last page's position
 *                                               → given up after 60 s: the last error is thrown
 *
 * The caller has every page before the next one is asked for, so what was lost with a stream is read again from the position
 * behind it, and nothing twice. Ends when the call's signal is aborted.
 * @throws AppError what `follow` throws when the first stream cannot be opened, or a later one for good
 */
export async function* followEvents(
  { storage, clock }: FollowDeps,
  input: FollowInput,
  call: Call,
): AsyncGenerator<FollowPage, void> {
  let next = input
  let lostAt: number | undefined
  let opened = false
  while (!call.signal.aborted) {
    try {
      const pages = await storage.follow(next, systemCall(clock, openMs, call.signal, call.tenant))
      for await (const page of unlessSilent(pages, clock, call.signal)) {
        opened = true
        lostAt = undefined
        next = { filters: input.filters, from: page.position, unnamed: 'all' }
        yield page
      }
    } catch (error) {
      if (call.signal.aborted) return
      lostAt ??= clock.monotonic()
      const tooLong = clock.monotonic() - lostAt > patienceMs
      if (!opened || tooLong || !catalogue[codeOf(error)].retryable) throw error
    }
    lostAt ??= clock.monotonic()
    await clock.sleep(pauseMs, call.signal).catch(() => undefined)
  }
}

/** The same pages. @throws AppError UNAVAILABLE when none comes for too long: the connection may be dead and not know it */
async function* unlessSilent<T>(pages: AsyncIterable<T>, clock: Clock, signal: AbortSignal): AsyncGenerator<T, void> {
  const iterator = pages[Symbol.asyncIterator]()
  try {
    for (;;) {
      const heard = new AbortController()
      const silence = clock.sleep(silenceMs, AbortSignal.any([signal, heard.signal])).then(
        () => {
          throw new AppError('UNAVAILABLE', 'Storage brings nothing', { retryAfterMs: 1_000 })
        },
        () => ({ done: true, value: undefined }) as const,
      )
      const step = await Promise.race([iterator.next(), silence]).finally(() => heard.abort())
      if (step.done) return
      yield step.value
    }
  } finally {
    // Not waited for: a producer that is dead does not answer this either.
    iterator.return?.().catch(() => undefined)
  }
}
