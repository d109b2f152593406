import { type Contents, type Health, jsonContent, type Operations } from '@splitstream/kernel'
import { z } from 'zod'

const state = z.enum(['ok', 'degraded', 'down'])
const part = z.object({ state, reason: z.string().optional() }).meta({ id: 'PartHealth' }) satisfies z.ZodType<
  Omit<Health, 'reason'>
>
const parts = z.record(z.string(), part).describe('By name; a part that is down makes the process not ready')
const dependency = z
  .object({
    state,
    reason: z.string().optional(),
    calls: z.int().min(0).describe('Of the last 30 s, as all figures here'),
    errorRate: z.number().min(0).max(1),
    p50Ms: z.number().min(0),
    p99Ms: z.number().min(0),
    lag: z.record(z.string(), z.number()).optional().describe('Events that each consumer group has not taken yet'),
  })
  .meta({ id: 'DependencyHealth' })

const readiness = z
  .object({ status: z.enum(['ready', 'not ready']), started: z.boolean(), parts })
  .meta({ id: 'Readiness' })
const health = z
  .object({ status: state, parts, dependencies: z.record(z.string(), dependency).optional() })
  .meta({ id: 'Health' })

const text: Contents = { 'text/plain': { schema: z.string() } }
const common = { tag: 'Health', method: 'GET', scope: 'public' } as const

export const opsOperations = {
  getLiveness: {
    ...common,
    path: '/health/live',
    summary: 'The process runs and answers',
    answers: { 200: { description: 'It does', content: jsonContent(z.object({ status: z.literal('live') })) } },
  },
  getReadiness: {
    ...common,
    path: '/health/ready',
    summary: 'The process can do its work; 503 names what it waits for',
    answers: {
      200: { description: 'Ready', content: jsonContent(readiness) },
      503: {
        description: 'Not ready: it starts or stops, or a part is down',
        content: jsonContent(readiness),
        headers: { 'Retry-After': z.int().min(0).describe('Seconds') },
      },
    },
  },
  getHealth: {
    ...common,
    path: '/health',
    summary: 'How well each part is; 200 whatever they say, as the answer is about them',
    description: 'Of the process that answers: ask it, not a gateway.',
    answers: { 200: { description: 'Parts of the process, and what it depends on', content: jsonContent(health) } },
  },
  getMetrics: {
    ...common,
    path: '/metrics',
    summary: 'Metrics in the Prometheus text format',
    description: 'Of the process that answers: ask it, not a gateway.',
    answers: { 200: { description: 'The metrics; docs/telemetry.md has them all', content: text } },
  },
} satisfies Operations
