import { createHash } from 'node:crypto'
import type { RedisNode, RedisNodes } from './driver.ts'

/** Adds what was used of each quota, by Redis's clock; answers how far ahead of now each is used up, ms. */
const exchangeScript = `local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local ahead = {}
for i = 1, #ARGV, 2 do
  local key = KEYS[1] .. ARGV[i]
  local full = math.max(tonumber(redis.call('GET', key) or 0), now) + ARGV[i + 1]
  redis.call('SET', key, string.format('%.3f', full), 'PX', math.ceil(full - now) + 1000)
  ahead[#ahead + 1] = string.format('%.3f', full - now)
end
return ahead`

const prefix = 'splitstream:quota:'
/** Between two questions to a node that did not answer, ms. */
const probeMs = 500
const maxRemembered = 20_000

/**
 * Counts of quotas that all processes share, on independent nodes: all of a tenant's on one node, found by rendezvous
 * hashing, so that a node that is added or removed moves the tenants of that node only. Counts of a node that is away are not
 * kept elsewhere: processes that see different nodes would count apart without anybody knowing.
 */
export class RedisQuotaCounts {
  readonly #nodes: readonly Known[]
  readonly #byTenant = new Map<string, Known>()

  /** @param nodes one or more */
  constructor({ nodes }: RedisNodes) {
    this.#nodes = nodes.map((node) => new Known(node))
  }

  /** False when the node is not connected, or did not answer and has not answered again since. */
  reachable(tenant: string): boolean {
    return this.#nodeOf(tenant).reachable
  }

  /** See SharedCounts (src/edge/quota). @throws Error as RedisNode.run does */
  async exchange(tenant: string, used: readonly { readonly name: string; readonly ms: number }[]): Promise<number[]> {
    const args = used.flatMap(({ name, ms }) => [name, ms])
    return await this.#nodeOf(tenant).exchange(args)
  }

  #nodeOf(tenant: string): Known {
    let found = this.#byTenant.get(tenant)
    if (!found) {
      found = this.#nodes.map((node) => ({ node, weight: weightOf(node.name, tenant) })).reduce(heavier).node
      if (this.#byTenant.size >= maxRemembered) this.#byTenant.clear()
      this.#byTenant.set(tenant, found)
    }
    return found
  }
}

interface Weighed {
  readonly node: Known
  readonly weight: string
}
const heavier = (a: Weighed, b: Weighed): Weighed => (b.weight > a.weight ? b : a)
const weightOf = (node: string, tenant: string): string =>
  createHash('sha256').update(`${node}\n${tenant}`).digest('hex')

/** A node, and whether it answers. */
class Known {
  readonly #node: RedisNode
  #failing = false
  #probing = false

  constructor(node: RedisNode) {
    this.#node = node
  }

  get name(): string {
    return this.#node.name
  }

  get reachable(): boolean {
    return this.#node.ready && !this.#failing
  }

  async exchange(args: readonly (string | number)[]): Promise<number[]> {
    try {
      const ahead = (await this.#node.run(exchangeScript, prefix, args)) as string[]
      this.#failing = false
      return ahead.map(Number)
    } catch (error) {
      this.#failing = true
      this.#probeLater()
      throw error
    }
  }

  /** Asks for nothing until there is an answer: while nothing is let through, nobody else would ask. */
  #probeLater(): void {
    if (this.#probing) return
    this.#probing = true
    setTimeout(() => {
      this.#probing = false
      if (this.#failing) this.exchange([]).catch(() => undefined)
    }, probeMs).unref()
  }
}
