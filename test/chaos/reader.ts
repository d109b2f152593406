import { setTimeout as delay } from 'node:timers/promises'
import { Client, NoAnswer } from './client.ts'
import type { Findings } from './findings.ts'

/** Reads ten times a second, each time on a new connection. */
export class Reader {
  reads = 0
  readonly #running: Promise<void>
  #over = false

  constructor(url: string, key: string, findings: Findings) {
    this.#running = (async () => {
      for (; !this.#over; await delay(100)) {
        const client = new Client(url, key)
        try {
          const answer = await client.send('GET', '/v1/events?limit=1')
          this.reads++
          if (answer.status !== 200)
            findings.add('a read was answered otherwise', `${answer.status} ${answer.text.slice(0, 200)}`)
        } catch (error) {
          if (!(error instanceof NoAnswer)) throw error
          findings.add('a read got no answer', error.message)
        }
        client.close()
      }
    })()
  }

  async stop(): Promise<void> {
    this.#over = true
    await this.#running
  }
}
