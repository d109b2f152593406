/** Structured logging without payloads, keys or query literals. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void
  info(message: string, fields?: Readonly<Record<string, unknown>>): void
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void
  error(message: string, fields?: Readonly<Record<string, unknown>>): void
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

type Labels = Readonly<Record<string, string>>

/** Metrics, by name; implemented in src/telemetry. Names follow Prometheus: base units, `_total` for counters. */
export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): { add(n: number, labels?: Labels): void }
  /** `read` is called at each scrape. */
  gauge(name: string, help: string, read: () => number): void
  /** Seconds or bytes. */
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly string[],
  ): { observe(value: number, labels?: Labels): void }
}

export const noMetrics: Metrics = {
  counter: () => ({ add() {} }),
  gauge() {},
  histogram: () => ({ observe() {} }),
}
