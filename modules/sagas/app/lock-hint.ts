/**
 * Redlock in front of the lock table: it spares Postgres attempts that are bound to fail. Never more than a hint: a lock is
 * held only by the row in Postgres, whose fencing number every protected write checks, and Postgres is asked in any case. With
 * Redis gone, wiped or wrong nothing but the number of questions changes.
 */
export interface LockHint {
  /** `held`: somebody else seems to hold it, so it is better to stand in line than to try. Never throws, takes 50 ms at most. */
  acquire(key: string, holder: string, ttlMs: number): Promise<'acquired' | 'held' | 'unknown'>
  /** Lets others know; nothing happens when it was not ours. Never throws. */
  release(key: string, holder: string): Promise<void>
}

/** Without Redis. */
export const noLockHint: LockHint = { acquire: async () => 'unknown', release: async () => undefined }
