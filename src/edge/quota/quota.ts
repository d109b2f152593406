/** What a key, or a tenant, may use of the limited routes. What is absent is not limited. */
export interface Quota {
  readonly requestsPerSecond?: number | undefined
  /** Of request bodies, as they are sent. */
  readonly bytesPerSecond?: number | undefined
}

/** So much of a quota may be used at once, ms: what is not used is kept for as long. */
export const windowMs = 1_000
