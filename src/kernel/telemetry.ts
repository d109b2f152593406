/** Structured logging without payloads, keys or query literals. */
export interface Logger {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void
  info(message: string, fields?: Readonly<Record<string, unknown>>): void
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void
  error(message: string, fields?: Readonly<Record<string, unknown>>): void
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** Attributes of a measurement: few values, none of them a client's. */
export type Labels = Readonly<Record<string, string | number>>

/** One value, or one for each set of labels. A promise is for what has to be asked for: it may take a while, or fail. */
export type Reading = number | readonly (readonly [Labels, number])[]

/**
 * Metrics, by name; implemented in src/telemetry. Names, units and labels follow OpenTelemetry (`http.server.request.duration`
 * in `s`, `http.route`); the Prometheus form is derived from them (`http_server_request_duration_seconds`, `http_route`). Units
 * are those of UCUM: `s`, `By`, `1` for a ratio, `{event}` for what is counted.
 */
export interface Metrics {
  counter(
    name: string,
    help: string,
    labels?: readonly string[],
    unit?: string,
  ): { add(n: number, labels?: Labels): void }
  /** `read` is called at each scrape; one that gives a promise at most every few seconds. */
  gauge(name: string, help: string, read: () => Reading | Promise<Reading>, unit?: string): void
  /** In seconds when there is no unit. */
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly string[],
    unit?: string,
  ): { observe(value: number, labels?: Labels): void }
}

export const noMetrics: Metrics = {
  counter: () => ({ add() {} }),
  gauge() {},
  histogram: () => ({ observe() {} }),
}

/** Upper bounds for what a client waits for, s: those of OpenTelemetry's conventions, and finer ones below. */
export const durationBuckets: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30,
]
