import type { Clock, Health, Metrics, Part } from '@splitstream/kernel'
import { ClockWatch } from './clock-watch.ts'
import { Dependency, type DependencyOptions, type DependencyView } from './dependency.ts'
import { rank } from './dependency-state.ts'
import { EventLoopWatch } from './event-loop.ts'
import { PoolWatch } from './pool-watch.ts'
import { Probe } from './probe.ts'
import { Readiness, type Source } from './readiness.ts'

/** Between two looks, ms. */
const tickMs = 500
const [probeTicks, lagTicks] = [2, 10]

/**
 * How this process is: its parts, of which readiness is made (readiness.ts), and what it depends on, as its calls go
 * (dependency-state.ts). What is watched is added while the process starts; nothing is watched before `start`.
 */
export class ProcessHealth implements Part {
  readonly name = 'health'
  readonly clock: ClockWatch
  readonly pools: PoolWatch
  readonly #clock: Clock
  readonly #readiness = new Readiness()
  readonly #dependencies = new Map<string, Dependency>()
  readonly #probes: Probe[] = []
  #loop: EventLoopWatch | undefined
  #timer: NodeJS.Timeout | undefined
  #ticks = 0

  constructor({ clock, metrics }: { readonly clock: Clock; readonly metrics: Metrics }) {
    this.#clock = clock
    this.clock = new ClockWatch(clock)
    this.pools = new PoolWatch(() => clock.monotonic())
    this.add({ part: 'process', read: (now) => this.#loop?.health(now) ?? { state: 'ok' } })
    this.add({ part: 'process', read: this.clock.health })
    this.#tell(metrics)
  }

  now(): number {
    return this.#clock.monotonic()
  }

  add(source: Source): void {
    this.#readiness.add(source)
  }

  /** @see Readiness.addAll */
  addAll(...sources: Parameters<Readiness['addAll']>): void {
    this.#readiness.addAll(...sources)
  }

  dependency(name: string, options: DependencyOptions = {}): Dependency {
    const dependency = new Dependency(name, this.#clock, options)
    this.#dependencies.set(name, dependency)
    return dependency
  }

  /** @see Probe */
  probe(name: string, ask: (signal: AbortSignal) => Promise<unknown>, everyMs?: number): Probe {
    const probe = new Probe(name, this.#clock, ask, everyMs)
    this.#probes.push(probe)
    return probe
  }

  async start(): Promise<void> {
    this.#loop = new EventLoopWatch(tickMs, this.now())
    this.#timer ??= setInterval(() => this.#tick(), tickMs)
    this.#tick()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#loop = undefined
  }

  /** Of the process; one that is down makes it not ready. */
  parts(): Record<string, Health> {
    return this.#readiness.parts(this.now())
  }

  dependencies(): Record<string, DependencyView> {
    const now = this.now()
    return Object.fromEntries([...this.#dependencies].map(([name, dependency]) => [name, dependency.view(now)]))
  }

  /** What is down just now, with why: the likely cause of what stands still. */
  cause(now: number): string | undefined {
    for (const [name, dependency] of this.#dependencies) {
      const { state, reason } = dependency.look(now)
      if (state === 'down') return `${name}: ${reason}`
    }
    return undefined
  }

  #tick(): void {
    const now = this.now()
    this.#loop?.tick(now)
    this.clock.tick()
    this.pools.tick()
    if (this.#ticks % probeTicks === 0) for (const probe of this.#probes) void probe.tick()
    if (this.#ticks % lagTicks === 0) for (const dependency of this.#dependencies.values()) dependency.refreshLag()
    this.#ticks++
    this.parts()
    if (this.#ticks % probeTicks === 0) for (const dependency of this.#dependencies.values()) dependency.look(now)
  }

  #tell(metrics: Metrics): void {
    const gauge = (name: string, help: string, read: (view: DependencyView) => number, unit?: string): void => {
      const all = () =>
        Object.entries(this.dependencies()).map(
          ([one, view]) => [{ 'splitstream.dependency': one }, read(view)] as const,
        )
      metrics.gauge(name, help, all, unit)
    }
    gauge('splitstream.dependency.state', 'How a dependency is: 0 ok, 1 degraded, 2 down', ({ state }) => rank[state])
    gauge('splitstream.dependency.calls', 'Calls of the last 30 s', ({ calls }) => calls, '{call}')
    gauge('splitstream.dependency.failed', 'Part of them that failed', ({ errorRate }) => errorRate, '1')
    gauge('splitstream.dependency.p50', 'How long half of them took at most', ({ p50Ms }) => p50Ms / 1_000, 's')
    gauge('splitstream.dependency.p99', 'How long 99 in 100 took at most', ({ p99Ms }) => p99Ms / 1_000, 's')
    metrics.gauge('splitstream.part.state', 'How a part of the process is: 0 ok, 1 degraded, 2 down: not ready', () =>
      Object.entries(this.parts()).map(([part, { state }]) => [{ 'splitstream.part': part }, rank[state]]),
    )
  }
}
