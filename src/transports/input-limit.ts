import { AppError } from '@splitstream/kernel'

/** Of the input of a call, over whatever it goes, bytes. */
export const maxInputBytes = 32 << 20

/**
 * What the members of an input have that are bytes: in process nothing else is measured, since that would cost writing it down.
 * JSON alone is not so large: bodies of requests, which it is made of, are limited at the edge.
 */
export function bytesIn(input: unknown): number {
  if (typeof input !== 'object' || input === null) return 0
  let sum = 0
  for (const name in input) {
    const member = (input as Record<string, unknown>)[name]
    if (member instanceof Uint8Array) sum += member.length
  }
  return sum
}

/** As the port server says it. */
export const tooLarge = (): AppError =>
  new AppError('BODY_TOO_LARGE', `The input is larger than ${maxInputBytes} bytes`, {
    details: { limit: maxInputBytes },
  })
