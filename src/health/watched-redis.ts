import { AppError, type Metrics } from '@splitstream/kernel'
import { operationSeconds } from '../engines/operations.ts'
import type { ProcessHealth } from './process-health.ts'
import { verdictOf } from './verdicts.ts'

interface RedisNode {
  readonly name: string
  readonly ready: boolean
  run(script: string, key: string, args: readonly (string | number)[]): Promise<unknown>
}

export interface RedisWatchOptions {
  /** Of the dependency: `redis`, `redis quotas`. */
  readonly name: string
  /** What it is used for, in the metrics. */
  readonly use: 'locks' | 'quotas'
  /** A p99 above it is bad, ms. */
  readonly slowMs: number
  readonly health: ProcessHealth
  readonly metrics: Metrics
}

/**
 * The same nodes, observed as one dependency: it is down when none of them can be asked. Which of them are connected is told by
 * a part of its user, as that knows what it does without.
 */
export function watchRedis<T extends { readonly nodes: readonly RedisNode[] }>(redis: T, o: RedisWatchOptions): T {
  const { health, slowMs } = o
  const seconds = operationSeconds(o.metrics)
  const labels = { 'db.system.name': 'redis', 'db.namespace': o.use, 'db.operation.name': 'EVAL' }
  const ask = async (): Promise<void> => {
    // A connection that brings nothing while something is asked for is given up: then the node is not ready.
    await Promise.allSettled(redis.nodes.map((node) => node.run('return 1', 'splitstream:health', [])))
    if (!redis.nodes.some((node) => node.ready)) throw new AppError('UNAVAILABLE', 'no node is connected')
  }
  const probe = health.probe('Redis', ask)
  const dependency = health.dependency(o.name, { slowMs, probe })
  const judge = (error: unknown, ms: number) => verdictOf(error, ms, slowMs)
  const timed = async (work: Promise<unknown>): Promise<unknown> => {
    const from = health.now()
    let failed = ''
    try {
      return await work
    } catch (error) {
      failed = typeOf(error)
      throw error
    } finally {
      seconds.observe((health.now() - from) / 1_000, { ...labels, 'error.type': failed })
    }
  }
  const nodes = redis.nodes.map((node) => ({
    name: node.name,
    get ready() {
      return node.ready
    },
    run: (script: string, key: string, args: readonly (string | number)[]) =>
      dependency.run(() => timed(node.run(script, key, args)), judge),
  }))
  return { ...redis, nodes }
}

/** Redis begins what it refuses with one word: LOADING, NOAUTH, OOM. All else is that there was no answer. */
function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'INTERNAL'
  if (error.name === 'ReplyError') return /^[A-Z]+/.exec(error.message)?.[0] ?? error.name
  return error.message.includes('timed out') ? 'DEADLINE_EXCEEDED' : 'UNAVAILABLE'
}
