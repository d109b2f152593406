import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'

/** Making a key of a secret takes five times as long as a signature. */
const keys = new WeakMap<Uint8Array, KeyObject>()

/**
 * The value of `webhook-signature` (Standard Webhooks, version 1: HMAC-SHA256 over id, time and body), with one signature for each secret:
 * whoever knows one of them takes the request for right.
 * @param secrets what is kept for a tenant; cheap when they are the same arrays each time
 * @param timestamp seconds since the Unix epoch
 */
export function sign(secrets: readonly Uint8Array[], id: string, timestamp: number, body: string): string {
  const text = `${id}.${timestamp}.${body}`
  return secrets.map((secret) => signatureOf(secret, text)).join(' ')
}

function signatureOf(secret: Uint8Array, text: string): string {
  let key = keys.get(secret)
  if (!key) {
    key = createSecretKey(secret)
    keys.set(secret, key)
  }
  return `v1,${createHmac('sha256', key).update(text).digest('base64')}`
}
