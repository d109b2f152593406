import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { type Ask, Client, type Reply } from './client.ts'

/** All that is known of an installation. */
export interface Installation {
  /** Where events go in, where they are read, where dead letters are seen to, and all addresses. */
  readonly urls: Readonly<Record<'ingest' | 'query' | 'deadLetters' | 'sagas' | 'all', readonly string[]>>
  /** What sagas call: payments, stock and shipping, and what these did. */
  readonly participants: {
    readonly url: string
    ledger(): readonly { readonly orderId: string; readonly effect: string }[]
  }
  /** Its ClickHouse, with name, password and database. */
  readonly engineUrl: string
  readonly operatorKey: string
  /** Whose clients these are; default `acme`. */
  readonly tenant?: string
  /** Stops and starts every process, one after another. */
  restartAll(): Promise<void>
}

/** What was asked, and what was answered. */
export type Told = readonly [question: string, answer: unknown]

export const source = '/topology'

/** What the clients of one tenant share: ways to ask, what they were answered, and which events were acknowledged. */
export class Story {
  readonly place: Installation
  readonly ingest: Client
  readonly query: Client
  readonly deadLetters: Client
  readonly sagas: Client
  readonly told: Told[] = []
  /** Ids of acknowledged events. */
  readonly acknowledged = new Set<string>()

  constructor(place: Installation, key: string) {
    this.place = place
    this.ingest = new Client(place.urls.ingest, key)
    this.query = new Client(place.urls.query, key)
    this.deadLetters = new Client(place.urls.deadLetters, key)
    this.sagas = new Client(place.urls.sagas, key)
  }

  tell(question: string, answer: unknown): void {
    this.told.push([question, answer])
  }

  /**
   * Sends events until they have a position, for half a minute. Where the log is elsewhere it may not take them in time on a busy
   * machine: they are acknowledged then, and wait where they came in.
   */
  async placed(path: string, ask: Ask): Promise<Reply<Receipt>> {
    for (const until = performance.now() + 30_000; ; await delay(50)) {
      const reply = await this.ingest.ask<Receipt>('POST', path, ask)
      if (reply.json.position !== null || performance.now() > until) return reply
    }
  }

  /** Events of this source, as GET /v1/events gives them. */
  async events(parameters: Readonly<Record<string, string>>): Promise<Page> {
    const path = `/v1/events?${new URLSearchParams({ source, ...parameters })}`
    const { status, json } = await this.query.ask<Page>('GET', path)
    expect(status, JSON.stringify(json)).toBe(200)
    return json
  }
}

export interface Page {
  readonly events: readonly { readonly id: string }[]
  readonly next: string | null
}

/** An event of this source as a JSON text. */
export function event(id: string, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ specversion: '1.0', id, source, type: 't', time: '2026-03-01T12:00:00Z', ...more })
}

export interface Receipt {
  readonly accepted: number
  readonly rejected: number
  readonly duplicates: number
  readonly position: string | null
  readonly errors: readonly { readonly index: number; readonly code: string }[]
}

/** Without what differs from run to run. */
export const outcome = ({ accepted, rejected, duplicates, errors }: Receipt) => ({
  accepted,
  rejected,
  duplicates,
  errors: errors.map(({ index, code }) => ({ index, code })),
})
