import { createHmac, timingSafeEqual } from 'node:crypto'
import { AppError } from '@splitstream/kernel'
import type { ListPlace } from '@splitstream/storage/contract'

/**
 * A cursor is the place where the page ended, signed together with the tenant and the question: it cannot be forged, and
 * cannot be used with another question.
 */
export class Cursors {
  readonly #secret: Uint8Array

  constructor(secret: Uint8Array) {
    this.#secret = secret
  }

  encode(place: ListPlace, tenant: string, question: string): string {
    const body = `${place.time}.${place.key}`
    return Buffer.from(`${body}.${this.#sign(body, tenant, question).toString('base64url')}`).toString('base64url')
  }

  /** @throws AppError CURSOR_INVALID */
  decode(cursor: string, tenant: string, question: string): ListPlace {
    const [time, key, mac] = Buffer.from(cursor, 'base64url').toString('latin1').split('.')
    if (time && key && mac && /^-?\d{1,18}$/.test(time) && /^\d{1,20}$/.test(key)) {
      const wanted = this.#sign(`${time}.${key}`, tenant, question)
      const given = Buffer.from(mac, 'base64url')
      if (given.length === wanted.length && timingSafeEqual(given, wanted)) return { time, key }
    }
    throw new AppError('CURSOR_INVALID', 'The cursor is not one that this question was answered with')
  }

  #sign(body: string, tenant: string, question: string): Buffer {
    return createHmac('sha256', this.#secret)
      .update(JSON.stringify([body, tenant, question]))
      .digest()
      .subarray(0, 16)
  }
}
