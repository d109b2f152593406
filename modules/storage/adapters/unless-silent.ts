import { AppError, type Call, withSignal } from '@splitstream/kernel'

/**
 * The chunks of a stream, which is ended when none comes for `ms`. A server the host of which is gone says nothing, and the client of ClickHouse
 * waits for that for ten minutes.
 * @param begin its stream ends with the call's signal
 * @throws AppError UNAVAILABLE, also while the chunks are read; what `begin` throws
 */
export async function unlessSilent(
  begin: (call: Call) => Promise<AsyncIterable<Uint8Array>>,
  call: Call,
  ms: number,
): Promise<AsyncIterable<Uint8Array>> {
  const silent = new AbortController()
  const within = async <T>(step: Promise<T>): Promise<T> => {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      silent.abort()
      late.reject(new AppError('UNAVAILABLE', `ClickHouse sent nothing for ${ms / 1_000} s`, { retryAfterMs: 1_000 }))
    }, ms)
    try {
      return await Promise.race([step, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }
  const ended = AbortSignal.any([call.signal, silent.signal])
  const chunks = await within(begin(withSignal(call, ended)))
  return eachWithin(chunks[Symbol.asyncIterator](), within)
}

async function* eachWithin<T>(
  chunks: AsyncIterator<T>,
  within: <R>(step: Promise<R>) => Promise<R>,
): AsyncGenerator<T, void> {
  try {
    for (;;) {
      const next = await within(chunks.next())
      if (next.done) return
      yield next.value
    }
  } finally {
    // One that was ended is not waited for.
    void chunks.return?.().catch(() => undefined)
  }
}
