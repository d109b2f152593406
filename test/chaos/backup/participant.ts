import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import type { Findings } from '../findings.ts'
import type { Random } from '../random.ts'

/**
 * The service that the run's sagas call. It outlives the installation, as services do: what it was told before the loss is
 * held against what it is told after the restore.
 */
export class Participant {
  /** Of each order and operation, the idempotency keys that came. */
  readonly #keys = new Map<string, Set<string>>()
  /** Of each saga, the greatest fencing number that came. */
  readonly #fences = new Map<string, number>()
  #floor = 0
  readonly #findings: Findings
  readonly #random: Random
  readonly #server = createServer((request, response) => void this.#answer(request, response))

  private constructor(findings: Findings, random: Random) {
    this.#findings = findings
    this.#random = random
  }

  static async start(findings: Findings, random: Random): Promise<Participant> {
    const participant = new Participant(findings, random)
    participant.#server.listen(0, '127.0.0.1')
    await once(participant.#server, 'listening')
    return participant
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The installation is gone: whatever comes now has a greater fencing number than all that ever came. */
  installationLost(): void {
    this.#floor = Math.max(...this.#fences.values())
  }

  keysOf(order: string, operation: string): number {
    return this.#keys.get(`${order} /${operation}`)?.size ?? 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { order } = (await json(request)) as { order: string }
      this.#note(`${order} ${request.url}`, String(request.headers['idempotency-key']))
      this.#checkFence(
        String(request.headers['splitstream-saga']),
        Number(request.headers['splitstream-fencing-token']),
      )
      await delay(this.#random.int(5, 400))
      response.setHeader('content-type', 'application/json').end('{}')
    } catch {
      response.destroy() // the installation was killed in the middle of its request
    }
  }

  #note(what: string, key: string): void {
    const keys = this.#keys.get(what) ?? new Set()
    this.#keys.set(what, keys.add(key))
  }

  #checkFence(saga: string, fence: number): void {
    const before = this.#fences.get(saga) ?? 0
    if (fence < before) this.#findings.add('a fencing number went back', `${saga}: ${fence} after ${before}`)
    if (fence <= this.#floor) this.#findings.add('a fencing number was given again', `${saga}: ${fence}`)
    this.#fences.set(saga, Math.max(fence, before))
  }
}
