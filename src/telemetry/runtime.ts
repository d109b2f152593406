import { readdir } from 'node:fs/promises'
import { monitorEventLoopDelay, type PerformanceEntry, PerformanceObserver, performance } from 'node:perf_hooks'
import { getHeapSpaceStatistics } from 'node:v8'
import type { Labels } from '@splitstream/kernel'
import { Gauge } from './gauge.ts'
import { Histogram } from './histogram.ts'
import type { MeasuredMetrics } from './metrics.ts'

const resolutionMs = 10
/** What is told of the event loop's delay covers at least this time, however often somebody asks, ms. */
const windowMs = 10_000

/** The process and its runtime, named as OpenTelemetry's conventions for processes, Node and V8 have it. */
export function watchRuntime(metrics: MeasuredMetrics): { stop(): void } {
  const gauge = metrics.gauge
  const counted = (name: string, help: string, read: () => [Labels, number][], unit: string): void =>
    metrics.add(name, new Gauge(name, help, read, unit, 'counter'))

  gauge('process.uptime', 'Since the process was started', () => process.uptime(), 's')
  gauge('process.memory.usage', 'Resident memory of the process', () => process.memoryUsage.rss(), 'By')
  gauge('process.unix.file_descriptor.count', 'Open file descriptors', openFiles, '{file_descriptor}')
  const cpu = (): [Labels, number][] => {
    const { user, system } = process.cpuUsage()
    return [
      [{ 'cpu.mode': 'user' }, user / 1e6],
      [{ 'cpu.mode': 'system' }, system / 1e6],
    ]
  }
  counted('process.cpu.time', 'Processor time of all threads', cpu, 's')

  const spaces = (read: (space: ReturnType<typeof getHeapSpaceStatistics>[number]) => number) => () =>
    getHeapSpaceStatistics().map((space): [Labels, number] => [
      { 'v8js.heap.space.name': space.space_name },
      read(space),
    ])
  const used = spaces((space) => space.space_used_size)
  gauge('v8js.memory.heap.used', 'Used part of the heap', used, 'By')
  const size = spaces((space) => space.space_size)
  gauge('v8js.memory.heap.space.size', 'Size of the heap', size, 'By')
  gauge('splitstream.memory.external', 'Memory of buffers outside the heap', () => process.memoryUsage().external, 'By')

  const loop = (): [Labels, number][] => {
    const { active, idle } = performance.eventLoopUtilization()
    return [
      [{ 'nodejs.eventloop.state': 'active' }, active / 1_000],
      [{ 'nodejs.eventloop.state': 'idle' }, idle / 1_000],
    ]
  }
  counted('nodejs.eventloop.time', 'Time of the event loop by its state', loop, 's')
  const delay = watchDelay(metrics)
  const collections = watchCollections(metrics)
  return {
    stop: () => {
      delay.disable()
      collections.disconnect()
    },
  }
}

function watchDelay({ gauge }: MeasuredMetrics): ReturnType<typeof monitorEventLoopDelay> {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs })
  histogram.enable()
  // What is measured is the time between two timers, which lie this far apart without any delay.
  const delay = (ns: number): number => Math.max(0, ns / 1e9 - resolutionMs / 1_000)
  const look = () => ({
    mean: delay(histogram.mean || 0),
    p50: delay(histogram.percentile(50)),
    p90: delay(histogram.percentile(90)),
    p99: delay(histogram.percentile(99)),
    max: histogram.count === 0 ? 0 : delay(histogram.max),
  })
  let since = performance.now()
  let last: ReturnType<typeof look> | undefined
  const read = (): ReturnType<typeof look> => {
    const now = performance.now()
    if (now - since < windowMs) return last ?? look()
    last = look()
    since = now
    histogram.reset()
    return last
  }
  for (const figure of ['mean', 'p50', 'p90', 'p99', 'max'] as const) {
    gauge(`nodejs.eventloop.delay.${figure}`, 'How late timers are, over the last while', () => read()[figure], 's')
  }
  return histogram
}

type Collection = PerformanceEntry & { readonly detail?: { readonly kind: number } }

const kinds: Readonly<Record<number, string>> = { 1: 'minor', 2: 'minor', 4: 'major', 8: 'incremental', 16: 'weakcb' }

function watchCollections(metrics: MeasuredMetrics): PerformanceObserver {
  const labels = new Map(['minor', 'major', 'incremental', 'weakcb'].map((kind) => [kind, { 'v8js.gc.type': kind }]))
  const seconds = new Histogram(
    'v8js.gc.duration',
    'Collections of garbage',
    [0.001, 0.01, 0.1, 1, 10],
    ['v8js.gc.type'],
    's',
  )
  metrics.add('v8js.gc.duration', seconds)
  const observer = new PerformanceObserver((list) => {
    for (const { duration, detail } of list.getEntries() as Collection[]) {
      const kind = kinds[detail?.kind ?? 0]
      if (kind) seconds.observe(duration / 1_000, labels.get(kind))
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  return observer
}

/** Only Linux says so cheaply. */
async function openFiles(): Promise<number> {
  return (await readdir('/proc/self/fd')).length - 1
}
