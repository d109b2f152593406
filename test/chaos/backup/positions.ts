import type { Client } from '../client.ts'
import type { Findings } from '../findings.ts'

type When = 'before' | 'after'

/**
 * Positions that clients were given. One from before the backup is good for ever; one from after it names events that are gone,
 * and has to be refused, also when the log has taken as many new ones since.
 */
export class Positions {
  readonly source = '/chaos/backup-positions'
  readonly #client: Client
  readonly #findings: Findings
  readonly #given: { readonly when: When; readonly position: string }[] = []

  constructor(client: Client, findings: Findings) {
    this.#client = client
    this.#findings = findings
  }

  async give(when: When): Promise<void> {
    // Of several subjects, so that every partition is among them.
    for (let n = 0; n < 8; n++) {
      const event = { specversion: '1.0', id: `${when}-${n}`, source: this.source, type: 'mark', subject: `${n}` }
      const { position } = await this.#client.json<{ position: string }>('POST', '/v1/events', event)
      this.#given.push({ when, position })
    }
  }

  async check(): Promise<void> {
    for (const { when, position } of this.#given) {
      const answer = await this.#client.send('GET', `/v1/events?limit=1&after=${encodeURIComponent(position)}`)
      const right = when === 'before' ? answer.status === 200 : answer.text.includes('"POSITION_INVALID"')
      if (!right)
        this.#findings.add(
          `a position from ${when} the backup`,
          `${position}: ${answer.status} ${answer.text.slice(0, 200)}`,
        )
    }
  }
}
