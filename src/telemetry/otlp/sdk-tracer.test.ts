import { SpanStatusCode } from '@opentelemetry/api'
import { AlwaysOnSampler, InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { AppError, ClickHouseError, isSampled, isTraceparent } from '@splitstream/kernel'
import { beforeEach, describe, expect, it } from 'vitest'
import { SdkTracer } from './sdk-tracer.ts'

const exporter = new InMemorySpanExporter()
const provider = new TracerProvider({
  sampler: new AlwaysOnSampler(),
  spanProcessors: [new SimpleSpanProcessor({ exporter })],
})
const tracerAt = (ratio: number): SdkTracer => new SdkTracer(provider.getTracer('test'), ratio)
const tracer = tracerAt(0)
const parent = (flags: string): string => `00-${'a'.repeat(32)}-${'b'.repeat(16)}-${flags}`
const ended = () => exporter.getFinishedSpans()
beforeEach(() => exporter.reset())

describe('a span', () => {
  it.each(['01', '03', 'ff', '0b'])('is made for a parent with the flags %s, and is a part of it', (flags) => {
    const span = tracer.span('work', parent(flags))!
    expect(isTraceparent(span.traceparent)).toBe(true)
    expect(isSampled(span.traceparent)).toBe(true)
    span.end()
    const [told] = ended()
    expect(told!.spanContext().traceId).toBe('a'.repeat(32))
    expect(told!.parentSpanContext?.spanId).toBe('b'.repeat(16))
    expect(span.traceparent).toBe(`00-${'a'.repeat(32)}-${told!.spanContext().spanId}-01`)
  })

  it.each(['00', '02', '0a', 'fe'])('is not made for a parent with the flags %s', (flags) => {
    expect(tracer.span('work', parent(flags))).toBeUndefined()
    expect(tracerAt(1).root('work', parent(flags))).toBeUndefined()
  })

  it('without a parent is made by chance at a root, and nowhere else', () => {
    expect(tracerAt(1).span('work', undefined)).toBeUndefined()
    expect(tracer.root('work', undefined)).toBeUndefined()
    expect(tracerAt(1).root('work', undefined)).toBeDefined()
  })

  it('is made for 500 requests a second at most', async () => {
    const busy = tracerAt(1)
    const from = performance.now()
    // Into the next second, so that all are within one.
    while (Math.floor(performance.now() / 1_000) === Math.floor(from / 1_000)) await new Promise(setImmediate)
    const roots = Array.from({ length: 600 }, (_, i) => busy.root('work', i % 2 === 0 ? parent('01') : undefined))
    expect(roots.filter((span) => span !== undefined)).toHaveLength(500)
    expect(busy.span('within', parent('01'))).toBeDefined()
  })

  it('apart has a trace of its own, and a link to its parent', () => {
    tracer.span('work', parent('01'), { apart: true, links: [parent('01').replaceAll('a', 'c')] })?.end()
    const [told] = ended()
    expect(told!.spanContext().traceId).not.toBe('a'.repeat(32))
    expect(told!.parentSpanContext).toBeUndefined()
    expect(told!.links.map(({ context }) => context.traceId)).toEqual(['a'.repeat(32), 'c'.repeat(32)])
  })

  it('keeps 32 links', () => {
    tracer.span('work', parent('01'), { links: Array.from({ length: 100 }, () => parent('01')) })?.end()
    expect(ended()[0]!.links).toHaveLength(32)
  })

  it('that fails says its code and nothing of its text', () => {
    const failures = [
      new AppError('OVERLOADED', 'secret'),
      new ClickHouseError(60, 'UNKNOWN_TABLE', 'secret', false),
      new Error('secret'),
      'refused',
    ]
    for (const failure of failures) tracer.span('work', parent('01'))?.end(failure)
    expect(ended().map(({ attributes }) => attributes['error.type'])).toEqual([
      'OVERLOADED',
      'UNKNOWN_TABLE',
      'INTERNAL',
      'refused',
    ])
    for (const { status, events } of ended()) expect([status, events]).toEqual([{ code: SpanStatusCode.ERROR }, []])
  })

  it('lasts from when it began, in parts of a millisecond', () => {
    const from = performance.now() - 12.345
    tracer.span('work', parent('01'), {}, from)?.end()
    const [seconds, nanos] = ended()[0]!.duration
    expect(seconds * 1_000 + nanos / 1e6).toBeGreaterThanOrEqual(12.34)
    expect(seconds * 1_000 + nanos / 1e6).toBeLessThan(1_000)
  })
})
