import { hash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { Random } from './random.ts'

/** One event as a sender made it. `n` counts the sender's events: within a subject it only grows. */
export interface SentEvent {
  readonly n: number
  readonly id: string
  readonly subject: string
  /** Of everything that must come back unchanged. */
  readonly hash: string
  /** Came with a time of its own; without one it is given that of its acceptance. */
  readonly timed: boolean
  /** Not a valid CloudEvent: it must be refused, and never be stored. */
  readonly bad: boolean
  readonly json: string
}

export interface Batch {
  readonly tenant: string
  readonly sender: number
  readonly events: readonly SentEvent[]
  readonly mediaType: string
  readonly gzip: boolean
  readonly body: Buffer
}

export const subjectsPerSender = 4
const day = 86_400_000

/** Sizes from 1 to 1,000 with as many small ones as large ones, so that single events and full batches both occur. */
export function batchSize(random: Random): number {
  if (random.chance(0.25)) return 1
  return Math.max(1, Math.round(1000 ** random.fraction()))
}

export function makeEvent(random: Random, source: string, sender: number, n: number): SentEvent {
  const id = `${sender}-${n}`
  const subject = `s${sender}.${n % subjectsPerSender}`
  const type = random.pick(['order.placed', 'order.paid', 'page.view', 'sensor'])
  const age = random.chance(0.05) ? random.int(0, 40 * day) : 0
  const time = random.chance(0.1) ? undefined : new Date(Date.now() - age).toISOString()
  const data: unknown = {
    n,
    amount: random.int(1, 1_000_000) / 100,
    text: random.pick(['', 'plain', 'é ü 東京 🚀', 'quote " back \\ slash', '0042', '2026-01-01']),
    pad: 'x'.repeat(random.chance(0.02) ? random.int(1000, 8000) : random.int(0, 120)),
  }
  const bad = random.chance(0.005)
  const event = { specversion: '1.0', id, source, ...(bad ? {} : { type }), subject, ...(time && { time }), data }
  return {
    n,
    id,
    subject,
    hash: contentHash(type, subject, time, data),
    timed: time !== undefined,
    bad,
    json: JSON.stringify(event),
  }
}

export function makeBatch(random: Random, tenant: string, sender: number, events: readonly SentEvent[]): Batch {
  const array = random.chance(0.2)
  const text = array ? `[${events.map((e) => e.json).join(',')}]` : events.map((e) => `${e.json}\n`).join('')
  const gzip = random.chance(0.1)
  const mediaType = array ? 'application/cloudevents-batch+json' : 'application/x-ndjson'
  return { tenant, sender, events, mediaType, gzip, body: gzip ? gzipSync(text) : Buffer.from(text) }
}

/** Equal for an event as sent and as read back: a time may be written differently, and is compared as an instant. */
export function contentHash(type: unknown, subject: unknown, time: unknown, data: unknown): string {
  const instant = typeof time === 'string' ? Date.parse(time) : null
  return hash('sha1', JSON.stringify([type, subject, instant, data]), 'base64')
}
