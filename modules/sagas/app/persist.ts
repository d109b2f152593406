import type { Clock } from '@splitstream/kernel'

const [leastPauseMs, maxPauseMs] = [50, 2_000]

/**
 * Tries until the work is done, with growing pauses: it may be done twice, so doing it twice must be doing it once.
 * @throws the signal's reason once it is aborted
 */
export async function persist<T>(
  work: () => Promise<T>,
  { clock, signal, onFailure }: { clock: Clock; signal: AbortSignal; onFailure(error: unknown): void },
): Promise<T> {
  for (let pause = leastPauseMs; ; pause = Math.min(pause * 2, maxPauseMs)) {
    try {
      signal.throwIfAborted()
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      onFailure(error)
    }
    await clock.sleep(pause, signal)
  }
}
