import { setTimeout as delay } from 'node:timers/promises'
import { type Call, systemCall, systemClock } from '@splitstream/kernel'

/** A call with a budget in ms; the rest as given. */
export function callWith(more: Partial<Call> = {}, budgetMs = 10_000): Call {
  return { ...systemCall(systemClock, budgetMs, new AbortController().signal, 'acme'), ...more }
}

/** What a promise is rejected with. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('It did not fail')
}

/** Waits until something holds; 5 s at most. */
export async function until(holds: () => boolean): Promise<void> {
  const from = performance.now()
  while (!holds()) {
    if (performance.now() - from > 5_000) throw new Error(`It never came to this: ${holds}`)
    await delay(2)
  }
}

export async function collect(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = []
  for await (const item of items) all.push(item)
  return all
}

export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    for (const member of Object.values(value)) deepFreeze(member)
    Object.freeze(value)
  }
  return value
}
