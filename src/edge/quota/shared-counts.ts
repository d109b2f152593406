/** What was used of one quota. */
export interface Used {
  readonly name: string
  /** As time of the quota, ms. */
  readonly ms: number
}

/** Where processes count together; implemented over Redis in src/engines/redis. */
export interface SharedCounts {
  /**
   * Adds what was used of quotas of one tenant, and tells for each how far ahead of now it is used up by all processes together, ms.
   * @throws Error when they cannot be reached; then it may have been added
   */
  exchange(tenant: string, used: readonly Used[]): Promise<readonly number[]>
  /** Whether those of the tenant can be reached, as far as is known. */
  reachable(tenant: string): boolean
}

/**
 * What holds while quotas cannot be counted together: `local`: each process counts for itself, so n processes let through n
 * times the quota; `open`: nothing is limited; `closed`: nothing limited is served.
 */
export type OnFailure = 'local' | 'open' | 'closed'
