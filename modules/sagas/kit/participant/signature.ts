import { createHmac, timingSafeEqual } from 'node:crypto'

/** How far the sender's clock may be from ours, s. */
const toleranceS = 300

/** `whsec_` and base64, as Standard Webhooks has it. @throws RangeError for anything else, without showing it */
export function signingKey(secret: string): Buffer {
  const key = Buffer.from(secret.startsWith('whsec_') ? secret.slice(6) : '', 'base64')
  if (key.length < 24) throw new RangeError('A signing secret is whsec_ and base64 of 24 to 64 random bytes')
  return key
}

/** One signature over `<id>.<timestamp>.<body>`; `timestamp` in s since the epoch. */
export function sign(key: Buffer, id: string, timestamp: string, body: Uint8Array): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`
}

export interface SignatureHeaders {
  readonly id: string | undefined
  readonly timestamp: string | undefined
  /** One or several, between spaces: senders that change their secret sign with both. */
  readonly signature: string | undefined
}

/**
 * Checks the signature of Standard Webhooks (https://www.standardwebhooks.com) in constant time: any signature by any of our
 * keys will do. Gives what is wrong with it, or undefined.
 * @param nowMs our clock, ms since the epoch
 */
export function wrongSignature(
  keys: readonly Buffer[],
  { id, timestamp, signature }: SignatureHeaders,
  body: Uint8Array,
  nowMs: number,
): string | undefined {
  if (!id || !timestamp || !signature) return 'webhook-id, webhook-timestamp and webhook-signature are needed'
  if (!/^\d{1,12}$/.test(timestamp)) return 'webhook-timestamp is not a number of seconds'
  if (Math.abs(nowMs / 1000 - Number(timestamp)) > toleranceS)
    return 'webhook-timestamp is more than 5 minutes from our clock'
  const given = signature.split(' ', 16).map((text) => Buffer.from(text))
  const matches = keys.flatMap((key) => {
    const right = Buffer.from(sign(key, id, timestamp, body))
    return given.filter((one) => one.length === right.length && timingSafeEqual(one, right))
  })
  return matches.length > 0 ? undefined : 'webhook-signature does not match'
}
