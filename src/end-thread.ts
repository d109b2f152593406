import { setTimeout as delay } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'

/** How long a thread may take to end, ms. */
const patienceMs = 1_000
/** Threads that hang now. */
let left = 0
let listens = false

/**
 * Ends a thread. One within a call of the system that does not return, as on a disk whose server is gone, cannot be ended: after a second
 * it is left behind.
 */
export async function endThread(worker: Worker): Promise<void> {
  const patience = new AbortController()
  const ended = worker.terminate().then(() => true)
  const late = delay(patienceMs, false, { signal: patience.signal }).catch(() => false)
  if (!(await Promise.race([ended, late]))) leaveThread(ended)
  patience.abort()
}

/**
 * The end of a process waits for all of its threads, and so for ever for one that hangs. With such a one it ends by a signal, after what
 * else is done at the exit.
 * @param over when the thread hangs no more; it does not reject
 */
export function leaveThread(over: Promise<unknown>): void {
  left++
  void over.then(() => left--)
  if (listens) return
  listens = true
  process.once('exit', () => {
    if (left > 0) process.kill(process.pid, 'SIGKILL')
  })
}
