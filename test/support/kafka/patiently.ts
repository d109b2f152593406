import { setTimeout as delay } from 'node:timers/promises'

const DEADLINE_MS = 30_000

/**
 * Does it again while kafkajs says that this may help. For `connect()` and other calls that look for a broker: while the
 * cluster still names a dead one, kafkajs gives up at the first refused connection, whatever its `retry` settings say.
 */
export async function patiently<T>(operation: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + DEADLINE_MS
  for (;;) {
    try {
      return await operation()
    } catch (error) {
      if (!(error as { retriable?: boolean }).retriable || performance.now() > deadline) throw error
      await delay(200)
    }
  }
}
