import type { RedisNode, RedisNodes } from './driver.ts'

/** Answers who holds the key: the caller, if it was free or the caller's already; else somebody else. */
const acquireScript = `local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]`

/** Compare and delete. */
const releaseScript = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`

/** How far the clocks of the nodes may run apart (a share of the TTL), and how finely Redis expires, ms. */
const [driftShare, expiryMs] = [0.01, 2]

interface Vote {
  readonly node: RedisNode
  readonly found: Promise<unknown>
}

/**
 * Redlock (https://redis.io/docs/latest/develop/clients/patterns/distributed-locks/) over independent nodes, as a hint in
 * front of a lock that is held elsewhere: it gives no fencing number, and no exclusion either when nodes forget (a restart)
 * or the holder stands still.
 *
 * Our own, because the libraries (redlock 5 beta, its fork @sesamecare-oss/redlock, redlock-universal) make the value
 * themselves, so that a saga which another worker takes over would be kept out by its own lock until it expires; give one
 * error for "held" and "no answer", which mean opposite things here; and wait for the release after a failure before they
 * answer. The value is the holder: unique for each holder, as Redlock asks of it, and acquiring again extends.
 */
export class RedisLockHint {
  readonly #nodes: readonly RedisNode[]
  readonly #majority: number

  constructor({ nodes }: RedisNodes) {
    this.#nodes = nodes
    this.#majority = Math.floor(nodes.length / 2) + 1
  }

  /**
   * `acquired`: a majority says so, for `ttlMs` from before the call. `held`: a majority names one other holder. Else `unknown`,
   * also when several ask at once and none gets a majority. Never throws, takes 50 ms at most; a majority need not be
   * waited for longer because of the rest.
   */
  async acquire(key: string, holder: string, ttlMs: number): Promise<'acquired' | 'held' | 'unknown'> {
    const asked = this.#nodes.filter((node) => node.ready)
    if (asked.length < this.#majority) return 'unknown'
    const ttl = Math.max(1, Math.round(ttlMs))
    const from = performance.now()
    const votes = asked.map((node) => ({ node, found: node.run(acquireScript, name(key), [holder, ttl]) }))
    const winner = await this.#winner(votes)
    const validMs = ttl - ttl * driftShare - expiryMs - (performance.now() - from)
    if (winner === holder && validMs > 0) return 'acquired'
    for (const vote of votes) void this.#giveBack(key, holder, vote) // nobody waits for it
    return winner === undefined || winner === holder ? 'unknown' : 'held'
  }

  /** Deletes it wherever it is ours. Never throws, takes 50 ms at most; a node that is not reached forgets it by its TTL. */
  async release(key: string, holder: string): Promise<void> {
    const ready = this.#nodes.filter((node) => node.ready)
    await Promise.allSettled(ready.map((node) => node.run(releaseScript, name(key), [holder])))
  }

  /** Whom a majority names; undefined as soon as there can be none. */
  #winner(votes: readonly Vote[]): Promise<string | undefined> {
    return new Promise((resolve) => {
      const counts = new Map<unknown, number>()
      let open = votes.length
      const count = (found?: unknown): void => {
        open--
        if (typeof found === 'string') counts.set(found, (counts.get(found) ?? 0) + 1)
        const [leader, most] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), [undefined, 0] as [unknown, number])
        if (most >= this.#majority) resolve(leader as string)
        else if (most + open < this.#majority) resolve(undefined)
      }
      for (const { found } of votes) found.then(count, () => count())
    })
  }

  /** Where it was granted or may have been; a node that is away forgets it by its TTL. Never throws. */
  async #giveBack(key: string, holder: string, { node, found }: Vote): Promise<void> {
    const anothers = await found.then(
      (winner) => winner !== holder,
      () => false,
    )
    if (!anothers && node.ready) await node.run(releaseScript, name(key), [holder]).catch(() => undefined)
  }
}

const name = (key: string): string => `splitstream:lock:${key}`
