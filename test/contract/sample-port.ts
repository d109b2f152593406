import { type Call, defineCallPort, type ErrorCode } from '@splitstream/kernel'

/** How a method of the sample fails: with an error of the catalogue, or with something that nobody declared. */
export interface Failing {
  readonly code?: ErrorCode | undefined
  readonly message: string
  readonly retryAfterMs?: number | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
  /** Thrown as it is, when there is no code. */
  readonly as?: 'error' | 'text' | 'system error' | undefined
}

export interface SeenCall {
  readonly tenant: string
  readonly principal: string
  readonly traceparent?: string | undefined
  readonly idempotencyKey?: string | undefined
  readonly budgetMs: number
}

export interface StreamInput {
  /** Items; endless when absent. */
  readonly count?: number | undefined
  /** Characters of filling in each item. */
  readonly fill?: number | undefined
  /** After the items, instead of an end. */
  readonly failing?: Failing | undefined
  /** The items themselves, instead of numbered ones. */
  readonly items?: readonly unknown[] | undefined
}

/** A made-up port that has everything a call port can have. */
export interface Sample {
  echo(input: unknown, call: Call): Promise<unknown>
  fail(input: Failing, call: Call): Promise<never>
  seen(input: { readonly note?: string }, call: Call): Promise<SeenCall>
  /** Calls itself through the port, `hops` times. The budgets that each saw, ms. */
  relay(input: { readonly hops: number }, call: Call): Promise<number[]>
  /** Waits to be released; ends with its signal and its budget, as an implementation should. */
  hold(input: { readonly name: string }, call: Call): Promise<string>
  /** Sets: twice is once. */
  put(input: { readonly key: string; readonly value: number }, call: Call): Promise<{ total: number }>
  /** Adds: twice is twice. */
  add(input: { readonly amount: number; readonly failing?: Failing }, call: Call): Promise<{ total: number }>
  stream(input: StreamInput, call: Call): Promise<AsyncIterable<unknown>>
  /** What is pushed, as it is pushed. */
  tail(input: undefined, call: Call): Promise<AsyncIterable<unknown>>
}

const budgetMs = 10_000

export const samplePort = defineCallPort<Sample>('sample.all', 1, {
  echo: { idempotent: true, budgetMs },
  fail: { idempotent: true, budgetMs },
  seen: { idempotent: true, budgetMs },
  relay: { idempotent: true, budgetMs },
  hold: { idempotent: true, budgetMs },
  put: { idempotent: true, budgetMs },
  add: { idempotent: false, budgetMs },
  stream: { idempotent: true, budgetMs, streams: true },
  tail: { idempotent: true, budgetMs, streams: true },
})
