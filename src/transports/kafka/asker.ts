import { AppError, type Clock } from '@splitstream/kernel'
import type { Admin, Kafka } from 'kafkajs'
import { kafkaError } from './client.ts'

/** How long a question may take, connecting included, ms. Asked once more, it begins with a broker that answers. */
const askMs = 2_500

/**
 * Questions to the cluster. kafkajs's admin client goes on asking a connection on which nothing comes back; so it is thrown
 * away with the first question that fails, as a producer is.
 */
export class Asker {
  readonly #kafka: Kafka
  readonly #clock: Clock
  #current: Promise<Admin> | undefined

  constructor(kafka: Kafka, clock: Clock) {
    this.#kafka = kafka
    this.#clock = clock
  }

  /** @throws AppError UNAVAILABLE saying `what` could not be learned */
  async ask<T>(what: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    try {
      return await this.#once(question)
    } catch {
      return await this.#once(question).catch((error: unknown) => {
        throw error instanceof AppError ? error : kafkaError(what, error)
      })
    }
  }

  /** The next question goes over another connection. */
  renew(): void {
    const old = this.#current
    this.#current = undefined
    void old?.then((admin) => admin.disconnect()).catch(() => undefined)
  }

  async close(): Promise<void> {
    const last = this.#current
    this.#current = undefined
    await last?.then((admin) => admin.disconnect()).catch(() => undefined)
  }

  async #once<T>(question: (admin: Admin) => Promise<T>): Promise<T> {
    const asked = this.#admin()
    const late = new AbortController()
    try {
      return await Promise.race([
        asked.then(question),
        this.#clock.sleep(askMs, late.signal).then(() => {
          throw new AppError('UNAVAILABLE', `Kafka did not answer within ${askMs} ms`, { retryAfterMs: 1_000 })
        }),
      ])
    } catch (error) {
      if (this.#current === asked) this.renew()
      throw error
    } finally {
      late.abort()
    }
  }

  #admin(): Promise<Admin> {
    if (!this.#current) {
      const admin = this.#kafka.admin({ retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 3 } })
      const connecting = admin.connect().then(() => admin)
      connecting.catch(() => undefined)
      this.#current = connecting
    }
    return this.#current
  }
}
