import { ExpressionError } from './expression.ts'
import type { Json } from './json.ts'
import type { PlannedTrigger } from './plan.ts'

/** Longest input that a saga can have, bytes of JSON: each of its transitions writes the whole journal. */
export const maxInputBytes = 65_536

/**
 * What an event comes to: no saga (undefined), a saga with an input, or one that is started only to show that its input cannot
 * be told. Nothing about that changes later, as expressions see nothing but the event.
 */
export type Triggered =
  | { readonly input: Json }
  | { readonly problem: { readonly code: string; readonly detail: string } }

/** @param event a CloudEvent as JSON */
export function triggeredBy(
  { when, input }: PlannedTrigger,
  event: { readonly [name: string]: Json },
): Triggered | undefined {
  try {
    if (when && !when({ event })) return undefined
    const value = input ? input({ event }) : (event.data ?? null)
    const bytes = Buffer.byteLength(JSON.stringify(value))
    if (bytes <= maxInputBytes) return { input: value }
    const detail = `the input has ${bytes} bytes, and ${maxInputBytes} at most: pick what is needed by trigger.input`
    return { problem: { code: 'INPUT_TOO_LARGE', detail } }
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    return { problem: { code: 'EXPRESSION', detail: `trigger: ${error.message}` } }
  }
}
