import { catalogue } from '@splitstream/kernel'

/** What a process makes of a code that another one sent, or that a client was answered with. */
export type Codes = Readonly<Record<string, { readonly status: number; readonly retryable: boolean }>>

export const readCodes = (): Codes =>
  Object.fromEntries(Object.entries(catalogue).map(([code, { status, retryable }]) => [code, { status, retryable }]))

/** A new code is fine: who does not know it takes the nearest one (src/transports/error-envelope.ts). */
export function codeBreaks(before: Codes, now: Codes): string[] {
  return Object.entries(before).flatMap(([code, was]) => {
    const is = now[code]
    if (!is) return [`${code}: the code is gone, and clients compare it`]
    return [
      ...(is.status === was.status ? [] : [`${code}: it was answered with ${was.status}, and is with ${is.status}`]),
      ...(is.retryable === was.retryable
        ? []
        : [`${code}: callers ${was.retryable ? 'send' : 'do not send'} it again`]),
    ]
  })
}
