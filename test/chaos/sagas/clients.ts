import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, Client, NoAnswer } from '../client.ts'
import type { Findings } from '../findings.ts'
import type { Random } from '../random.ts'
import type { Installation } from './installation.ts'
import type { Wanted } from './orders.ts'

const tryMs = 4_000
const giveUpMs = 40_000

/** What clients know: the saga of each key; keys whose saga somebody asked to cancel, so that it may be undone without a reason. */
export interface Told {
  readonly told: ReadonlyMap<string, string>
  readonly cancelled: ReadonlySet<string>
}

/**
 * Clients that start sagas and keep asking, with the same Idempotency-Key and at whichever process there is, until they are
 * answered. What they were told is the oracle: an id that was answered is a saga, and a key has one.
 */
export class Clients implements Told {
  readonly told = new Map<string, string>()
  readonly cancelled = new Set<string>()
  readonly #installation: Installation
  readonly #findings: Findings
  readonly #random: Random
  readonly #cancels: number

  /** @param cancels share of the sagas that are cancelled right after their start */
  constructor(installation: Installation, findings: Findings, random: Random, cancels = 0) {
    this.#installation = installation
    this.#findings = findings
    this.#random = random
    this.#cancels = cancels
  }

  /** Resolves when all were answered, or given up. */
  async startAll(wanted: readonly Wanted[], clients = 8): Promise<void> {
    const left = [...wanted]
    const client = async (random: Random): Promise<void> => {
      await using connections = new Connections(this.#installation)
      for (let next = left.shift(); next; next = left.shift()) {
        // Some press the button twice, at once or later.
        const again = random.fraction()
        const first = this.#start(next, connections, random)
        await (again < 0.06 ? Promise.all([first, this.#start(next, connections, random)]) : first)
        if (again > 0.94) await this.#start(next, connections, random)
        if (random.chance(this.#cancels)) await this.#cancel(next, connections, random)
      }
    }
    await Promise.all(Array.from({ length: clients }, () => client(this.#random.fork())))
  }

  async #start(wanted: Wanted, connections: Connections, random: Random): Promise<void> {
    const body = Buffer.from(JSON.stringify(wanted.order))
    const headers = { 'content-type': 'application/json', 'idempotency-key': `"${wanted.key}"` }
    let last = 'there was no process'
    for (const end = performance.now() + giveUpMs; performance.now() < end; ) {
      const client = connections.pick(random)
      try {
        const answer = await client?.send('POST', `/v1/sagas/${wanted.kind}`, { body, headers, timeoutMs: tryMs })
        if (answer && this.#isAnswered(wanted, answer)) return
        if (answer) last = `${answer.status} ${answer.text.slice(0, 300)}`
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        last = error.message
      }
      await delay(random.int(5, 60))
    }
    this.#findings.add('a start was never answered', `${wanted.key}: ${last}`)
  }

  /** Once, whatever comes of it: it may be too late, or never arrive. */
  async #cancel({ key }: Wanted, connections: Connections, random: Random): Promise<void> {
    this.cancelled.add(key)
    const path = `/v1/sagas/${this.told.get(key)}/cancel`
    await connections
      .pick(random)
      ?.send('POST', path, { timeoutMs: tryMs })
      .catch(() => undefined)
  }

  #isAnswered({ key }: Wanted, { status, text }: Answer): boolean {
    if (status === 503 || status === 504 || status === 429) return false
    const { id, code } = JSON.parse(text) as { id?: string; code?: string }
    if (status === 409 && code === 'IDEMPOTENCY_KEY_BUSY') return false
    if ((status !== 200 && status !== 202) || id === undefined) {
      this.#findings.add('a start was answered wrongly', `${key}: ${status} ${text.slice(0, 300)}`)
      return true
    }
    const before = this.told.get(key)
    if (before !== undefined && before !== id) this.#findings.add('one key, two sagas', `${key}: ${before} and ${id}`)
    this.told.set(key, id)
    return true
  }
}

/** One to each process, made when it is first needed. */
class Connections implements AsyncDisposable {
  readonly #clients = new Map<string, Client>()
  readonly #installation: Installation

  constructor(installation: Installation) {
    this.#installation = installation
  }

  pick(random: Random): Client | undefined {
    const { alive, adminKey } = this.#installation
    if (alive.length === 0) return undefined
    const { url } = random.pick(alive).process
    const client = this.#clients.get(url) ?? new Client(url, adminKey)
    this.#clients.set(url, client)
    return client
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients.values()) client.close()
  }
}
