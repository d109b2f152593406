import { AppError } from '@splitstream/kernel'
import type { Admin, Kafka } from 'kafkajs'
import { kafkaError } from './client.ts'
import { Throwaway } from './throwaway.ts'

/** How long a question may take, connecting included, ms. Asked once more, it begins with a broker that answers. */
const askMs = 2_500

/** kafkajs's admin client. Each is made to give up soon: whoever asks tries again by itself. */
export const adminClient = (kafka: Kafka): Admin =>
  kafka.admin({ retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 3 } })

/** Questions to the cluster. */
export class Asker {
  readonly #admin: Throwaway<Admin>

  constructor(kafka: Kafka) {
    this.#admin = new Throwaway(() => adminClient(kafka))
  }

  /** @throws AppError UNAVAILABLE saying `what` could not be learned */
  async ask<T>(what: string, question: (admin: Admin) => Promise<T>): Promise<T> {
    const once = (): Promise<T> => this.#admin.use(askMs, 'Kafka did not answer', question)
    try {
      return await once()
    } catch {
      return await once().catch((error: unknown) => {
        throw error instanceof AppError ? error : kafkaError(what, error)
      })
    }
  }

  /** The next question goes over another connection. */
  renew(): void {
    void this.#admin.close()
  }

  async close(): Promise<void> {
    await this.#admin.close()
  }
}
