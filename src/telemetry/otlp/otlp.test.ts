import { isTraceparent } from '@splitstream/kernel'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type OtlpReceiver, startReceiver } from '../../../test/support/otlp/receiver.ts'
import { createLogger } from '../logger.ts'
import { createMetrics, type MeasuredMetrics } from '../metrics.ts'
import { startOtlp } from './otlp.ts'

const parent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
let receiver: OtlpReceiver
let metrics: MeasuredMetrics
beforeEach(async () => {
  receiver = await startReceiver()
  metrics = createMetrics()
})
afterEach(async () => {
  vi.unstubAllEnvs()
  metrics.stop()
  await receiver.stop()
})

const start = (name: string, endpoint = receiver.url) => {
  const resource = { 'service.name': name }
  return startOtlp(
    { endpoint, headers: {}, resource, ratio: 1, metricsEveryMs: 60_000 },
    metrics,
    createLogger('error'),
  )
}

/** What anybody who asks the API, and not us, would get. */
function registered(): string[] {
  const symbol = Object.getOwnPropertySymbols(globalThis).find(({ description }) =>
    description?.startsWith('opentelemetry.js.api.'),
  )
  if (symbol === undefined) throw new Error('the API keeps what is registered elsewhere')
  return Object.keys((globalThis as unknown as Record<symbol, object>)[symbol]!).filter((key) => key !== 'version')
}

describe('the SDK', () => {
  it('can be started again in the same process, and beside another one: each sends its own', async () => {
    for (const name of ['first', 'second']) {
      const one = start(name)
      const other = await startReceiver()
      const beside = start('beside', other.url)
      expect(registered()).toEqual([])
      one.tracer.span(name, parent)?.end()
      beside.tracer.span(`beside ${name}`, parent)?.end()
      await Promise.all([one.stop(), beside.stop()])
      expect(other.spans.map((span) => span.name)).toEqual([`beside ${name}`])
      await other.stop()
    }
    expect(receiver.spans.map(({ name, resource }) => [name, resource])).toEqual([
      ['first', { 'service.name': 'first' }],
      ['second', { 'service.name': 'second' }],
    ])
    expect(receiver.problems).toEqual([])
  })

  it('sends each metric once, at a stop too', async () => {
    metrics.counter('splitstream.test', 'Of this test').add(3)
    await start('metrics').stop()
    expect(receiver.points.filter(({ name }) => name === 'splitstream.test')).toMatchObject([
      { resource: { 'service.name': 'metrics' } },
    ])
    expect(receiver.problems).toEqual([])
  })

  it.each([
    ['otlp', 'always_off'],
    ['console', 'parentbased_always_off'],
    ['none', 'traceidratio'],
  ])('takes no exporter (%s) and no sampler (%s) from the environment', async (exporter, sampler) => {
    const { port } = new URL(receiver.url)
    const variables = {
      OTEL_TRACES_EXPORTER: exporter,
      OTEL_METRICS_EXPORTER: exporter,
      OTEL_LOGS_EXPORTER: exporter,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_TRACES_SAMPLER: sampler,
      OTEL_TRACES_SAMPLER_ARG: '0',
      OTEL_PROPAGATORS: 'b3',
      OTEL_SERVICE_NAME: 'other',
      OTEL_RESOURCE_ATTRIBUTES: 'host.name=h',
      OTEL_NODE_RESOURCE_DETECTORS: 'all',
      OTEL_LOG_LEVEL: 'ALL',
    }
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
    const printed = vi.spyOn(console, 'dir').mockReturnValue()
    const sdk = start('plain')
    const span = sdk.tracer.span('work', parent)!
    expect(isTraceparent(span.traceparent)).toBe(true)
    span.end()
    expect(registered()).toEqual([])
    await sdk.stop()
    expect(receiver.spans.map(({ name, resource }) => [name, resource])).toEqual([
      ['work', { 'service.name': 'plain' }],
    ])
    expect(receiver.problems).toEqual([])
    expect(printed).not.toHaveBeenCalled()
    printed.mockRestore()
  })
})
