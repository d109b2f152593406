/** How long what was aborted may take to end, ms. */
const patienceMs = 3_000

/**
 * What `work` resolves with. Once it is aborted it has three seconds to end: what hangs within a call of the system, or waits for a
 * server that stands still, is left behind.
 * @throws the signal's reason when it was aborted; otherwise what `work` throws
 */
export async function orLeft<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const left = Promise.withResolvers<never>()
  let timer: NodeJS.Timeout | undefined
  const abort = (): void => {
    timer = setTimeout(() => left.reject(signal.reason), patienceMs)
  }
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  try {
    return await Promise.race([work, left.promise])
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}
