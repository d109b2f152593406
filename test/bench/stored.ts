import { decodePosition, encodePosition } from '@splitstream/kernel'
import type { Answer } from './connection.ts'

/** Collects the positions of answers: the furthest of each partition. */
export class Furthest {
  readonly #next = new Map<number, number>()

  /** @throws Error when the answer has no position. */
  add({ text }: Answer): void {
    const token = /"position":"([^"]+)"/.exec(text)?.[1]
    if (token === undefined) throw new Error(`an answer without position: ${text}`)
    for (const [partition, next] of decodePosition(token)) {
      if (next > (this.#next.get(partition) ?? 0)) this.#next.set(partition, next)
    }
  }

  get position(): string {
    return encodePosition(this.#next)
  }
}

/** Resolves once a query sees everything up to the position. @throws Error after ten minutes, or on another refusal. */
export async function untilStored(url: string, key: string, position: string): Promise<void> {
  const deadline = performance.now() + 600_000
  while (performance.now() < deadline) {
    const answer = await fetch(`${url}/v1/events?limit=1&after=${position}`, {
      headers: { authorization: `Bearer ${key}` },
    })
    const text = await answer.text()
    if (answer.status === 200) return
    // The server waits up to its budget and then says 503: ask again.
    if (answer.status !== 503 && answer.status !== 504) throw new Error(`waiting: ${answer.status} ${text}`)
  }
  throw new Error(`not stored within ten minutes: ${position}`)
}
