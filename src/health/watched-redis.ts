import type { ProcessHealth } from './process-health.ts'
import { verdictOf } from './verdicts.ts'

/** A p99 above it is bad, ms: a hint that comes later is of no use. */
const slowMs = 40

interface RedisNode {
  readonly name: string
  readonly ready: boolean
  run(script: string, key: string, args: readonly (string | number)[]): Promise<unknown>
}

/** The same nodes, observed as one dependency. Whether they are connected is told by the part `redis`. */
export function watchRedis<T extends { readonly nodes: readonly RedisNode[] }>(redis: T, health: ProcessHealth): T {
  const dependency = health.dependency('redis', { slowMs })
  const judge = (error: unknown, ms: number) => verdictOf(error, ms, slowMs)
  const nodes = redis.nodes.map((node) => ({
    name: node.name,
    get ready() {
      return node.ready
    },
    run: (script: string, key: string, args: readonly (string | number)[]) =>
      dependency.run(() => node.run(script, key, args), judge),
  }))
  return { ...redis, nodes }
}
