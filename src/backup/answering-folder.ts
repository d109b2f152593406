import { AppError } from '@splitstream/kernel'
import { leaveThread } from '../end-thread.ts'

/** How long the folder may take, ms. */
const patienceMs = 10_000

/**
 * A folder that may hang, as one on a network does when its server is gone. A call that hangs there holds one of the four threads
 * that files, names and compression of the whole process share: so one call at a time reaches the folder, and none while one is overdue.
 */
export class AnsweringFolder {
  readonly #patienceMs: number
  #last: Promise<unknown> = Promise.resolve()
  /** Calls that are overdue. */
  #hanging = 0

  constructor(patience = patienceMs) {
    this.#patienceMs = patience
  }

  /** @throws AppError UNAVAILABLE when the folder does not answer in time, or has not answered the call before; what `work` throws */
  async ask<T>(work: () => Promise<T>): Promise<T> {
    if (this.#hanging > 0) throw hangs()
    const asked = this.#last.then(work)
    this.#last = asked.catch(() => undefined)
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      this.#hanging++
      const over = this.#last.then(() => this.#hanging--)
      leaveThread(over)
      late.reject(hangs())
    }, this.#patienceMs)
    try {
      return await Promise.race([asked, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }
}

const hangs = (): AppError =>
  new AppError('UNAVAILABLE', 'BACKUP_DIR does not answer: its disk, or the server that it is on, hangs', {
    retryAfterMs: 10_000,
  })
