import { setTimeout as delay } from 'node:timers/promises'
import { AppError, type Call, checkCall, codeOf, remaining, systemClock } from '@splitstream/kernel'
import type { Failing, Sample, SeenCall, StreamInput } from './sample-port.ts'

/** Implements the sample, and lets a test see and steer what happens on the callee's side. */
export class SampleCallee implements Sample {
  /** How often each method was begun. */
  readonly begun = new Map<string, number>()
  /** Calls of `hold` that wait, by name. */
  readonly held = new Map<string, (answer: string) => void>()
  /** Codes with which `hold` ended, other than by being released. */
  readonly ended: string[] = []
  /** Streams that have not ended. */
  openStreams = 0
  /** Items that streams have made. */
  produced = 0
  /** How to call the port again, for `relay`. */
  port: Sample = this
  #puts = new Map<string, number>()
  #added = 0
  #tails = new Set<(item: unknown) => void>()

  async echo(input: unknown): Promise<unknown> {
    this.#begin('echo')
    return input
  }

  async fail(failing: Failing): Promise<never> {
    this.#begin('fail')
    throw thrownBy(failing)
  }

  async seen(_: { readonly note?: string }, call: Call): Promise<SeenCall> {
    this.#begin('seen')
    // Another tick, so that concurrent calls meet in here.
    await delay(1)
    const { tenant, principal, traceparent, idempotencyKey } = call
    const later = { addedIn: 'a later version' }
    return { tenant, principal, traceparent, idempotencyKey, budgetMs: remaining(call, systemClock), ...later }
  }

  async relay({ hops }: { readonly hops: number }, call: Call): Promise<number[]> {
    const mine = remaining(call, systemClock)
    return hops === 0 ? [mine] : [mine, ...(await this.port.relay({ hops: hops - 1 }, call))]
  }

  async hold({ name }: { readonly name: string }, call: Call): Promise<string> {
    this.#begin('hold')
    const released = new Promise<string>((resolve) => this.held.set(name, resolve))
    try {
      return await Promise.race([released, ending(call)])
    } catch (error) {
      this.ended.push(codeOf(error))
      throw error
    } finally {
      this.held.delete(name)
    }
  }

  async put({ key, value }: { readonly key: string; readonly value: number }): Promise<{ total: number }> {
    this.#begin('put')
    this.#puts.set(key, value)
    return { total: this.total }
  }

  async add({ amount, failing }: { readonly amount: number; readonly failing?: Failing }): Promise<{ total: number }> {
    this.#begin('add')
    this.#added += amount
    if (failing) throw thrownBy(failing)
    return { total: this.total }
  }

  get total(): number {
    return [...this.#puts.values()].reduce((sum, value) => sum + value, this.#added)
  }

  async stream(input: StreamInput, call: Call): Promise<AsyncIterable<unknown>> {
    this.#begin('stream')
    return this.#items(input, call)
  }

  async tail(_: undefined, call: Call): Promise<AsyncIterable<unknown>> {
    this.#begin('tail')
    return this.#pushed(call)
  }

  /** To all open tails. */
  push(item: unknown): void {
    for (const receive of this.#tails) receive(item)
  }

  get openTails(): number {
    return this.#tails.size
  }

  async *#items({ count = Number.POSITIVE_INFINITY, fill = 0, failing, items }: StreamInput, call: Call) {
    this.openStreams++
    try {
      if (items) yield* items
      for (let i = 0; !items && i < count; i++) {
        checkCall({ ...call, signal: call.signal, deadline: Number.POSITIVE_INFINITY }, systemClock)
        this.produced++
        yield { i, fill: 'x'.repeat(fill) }
      }
      if (failing) throw thrownBy(failing)
    } finally {
      this.openStreams--
    }
  }

  async *#pushed(call: Call) {
    const waiting: unknown[] = []
    let wake: () => void = () => {}
    const receive = (item: unknown): void => {
      waiting.push(item)
      wake()
    }
    this.#tails.add(receive)
    call.signal.addEventListener('abort', () => wake())
    try {
      for (;;) {
        if (call.signal.aborted) throw new AppError('CANCELLED', 'The caller went away')
        if (waiting.length > 0) yield waiting.shift()
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      this.#tails.delete(receive)
    }
  }

  #begin(method: string): void {
    this.begun.set(method, (this.begun.get(method) ?? 0) + 1)
  }
}

/** Rejects when the call should not go on. */
async function ending(call: Call): Promise<never> {
  const late = remaining(call, systemClock)
  await delay(late, undefined, { signal: call.signal }).catch(() => {})
  checkCall(call, systemClock)
  throw new AppError('DEADLINE_EXCEEDED', 'The time budget is spent')
}

function thrownBy({ code, message, retryAfterMs, details, as }: Failing): unknown {
  if (code)
    return new AppError(code, message, {
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      ...(details && { details }),
    })
  if (as === 'text') return message
  if (as === 'system error') return Object.assign(new Error(message), { code: 'ECONNREFUSED' })
  return new TypeError(message)
}
