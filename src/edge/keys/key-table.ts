import { timingSafeEqual } from 'node:crypto'
import type { Principal } from './principal.ts'
import { hashOf, looksRight } from './secret.ts'

/** A secret that works, for now. */
export interface LiveSecret {
  readonly hash: Buffer
  readonly principal: Principal
  /** Wall clock, ms; Infinity when it does not expire. */
  readonly until: number
}

/** Compared with when there is nothing to compare with: every refusal takes the same steps. */
const nobody: LiveSecret = {
  hash: Buffer.alloc(32),
  principal: { id: '', tenant: '', scopes: new Set(), operator: false },
  until: Number.NEGATIVE_INFINITY,
}

/**
 * All secrets that work, in memory. A look-up is a hash, one map look-up by the first 48 bits of the hash, and a
 * comparison in constant time; the same for keys that are unknown, mistyped, expired or revoked.
 */
export class KeyTable {
  readonly #secrets = new Map<number, LiveSecret>()

  constructor(secrets: Iterable<LiveSecret>) {
    this.add(secrets)
  }

  add(secrets: Iterable<LiveSecret>): void {
    for (const secret of secrets) this.#secrets.set(slotOf(secret.hash), secret)
  }

  remove(secrets: Iterable<LiveSecret>): void {
    for (const { hash } of secrets) this.#secrets.delete(slotOf(hash))
  }

  find(key: string, now: number): Principal | undefined {
    const hash = hashOf(key)
    // A mistyped key is never looked for.
    const found = (looksRight(key) ? this.#secrets.get(slotOf(hash)) : undefined) ?? nobody
    const same = timingSafeEqual(hash, found.hash)
    return same && found.until > now ? found.principal : undefined
  }
}

const slotOf = (hash: Buffer): number => hash.readUIntBE(0, 6)
