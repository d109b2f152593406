import { setTimeout as delay } from 'node:timers/promises'
import { type Look, look } from '../support/readiness.ts'
import type { Findings } from './findings.ts'

/** How long an answer may take, ms: whoever shares the machine may make it late, and what counts is what it says. */
const answerMs = 6_000

/** What was said without a break, from one moment of `performance.now()` on; of the causes the first. */
export interface Stretch extends Look {
  readonly from: number
}

/** Asks a process for its readiness five times a second, and keeps when it changed. Ends with its scope. */
export class ReadinessWatch implements AsyncDisposable {
  readonly stretches: Stretch[] = []
  readonly #stop = new AbortController()
  readonly #looking: Promise<void>

  constructor(url: string) {
    this.#looking = this.#go(url)
  }

  /** Until it has been ready for `ms` without a break, or `limitMs` are over. */
  async untilReadyFor(ms: number, limitMs: number): Promise<void> {
    for (const end = performance.now() + limitMs; performance.now() < end; await delay(100)) {
      const last = this.stretches.at(-1)
      if (last?.ready && performance.now() - last.from >= ms) return
    }
  }

  async stop(): Promise<readonly Stretch[]> {
    this.#stop.abort()
    await this.#looking
    return this.stretches
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #go(url: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const from = performance.now()
      const seen = await look(url, answerMs)
      if (this.stretches.at(-1)?.ready !== seen.ready) this.stretches.push({ ...seen, from })
      await delay(200, undefined, { signal: this.#stop.signal }).catch(() => undefined)
    }
  }
}

/** What docs/health.md promises of an outage. */
export interface PromisedReadiness {
  /** When it began and ended, as `performance.now()`. */
  readonly struck: number
  readonly healed: number
  /** Within which it turns red, ms; undefined: it never does. */
  readonly redWithinMs: number | undefined
  /** Within which it is green again, ms. */
  readonly greenWithinMs: number
}

/** Holds what was seen against it. @returns after how long it was red and green, for the verdict */
export function judgeReadiness(seen: readonly Stretch[], o: PromisedReadiness, findings: Findings): object {
  const { struck, healed } = o
  if (seen.length === 0) findings.add('readiness was never seen', 'no answer')
  const red = seen.filter(({ ready }) => !ready)
  for (const { from, cause } of red) {
    const when = `${Math.round(from - struck)} ms after the outage began`
    if (from < struck) findings.add('not ready before the outage', cause)
    else if (o.redWithinMs === undefined) findings.add('not ready, and need not be', `${when}: ${cause}`)
    else if (from > healed + o.greenWithinMs) findings.add('not ready, long after the outage', `${when}: ${cause}`)
  }
  const first = red.find(({ from }) => from >= struck)
  const last = seen.at(-1)
  const redMs = first && Math.round(first.from - struck)
  const greenMs = red.length === 0 || !last?.ready ? undefined : Math.max(0, Math.round(last.from - healed))
  if (o.redWithinMs !== undefined && healed - struck > o.redWithinMs && (redMs ?? Infinity) > o.redWithinMs)
    findings.add('ready, and must not be', `${redMs ?? 'no'} ms after the outage began; may be ${o.redWithinMs}`)
  if (last && !last.ready) findings.add('never ready again', last.cause)
  else if ((greenMs ?? 0) > o.greenWithinMs)
    findings.add('not ready again in time', `${greenMs} ms after the outage; may be ${o.greenWithinMs}`)
  return { redMs, greenMs, causes: [...new Set(red.map(({ cause }) => cause))].slice(0, 5) }
}
