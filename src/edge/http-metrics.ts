import type { Metrics, Route } from '@splitstream/kernel'

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

interface Labels extends Readonly<Record<string, string>> {
  readonly route: string
  readonly method: string
  readonly status: string
}

/** Counts requests and times them. The label objects are made once for each (route, status): the hot lane makes none. */
export class HttpMetrics {
  readonly #requests: ReturnType<Metrics['counter']>
  readonly #duration: ReturnType<Metrics['histogram']>
  readonly #labels = new Map<Route | undefined, Labels[]>()

  constructor(metrics: Metrics) {
    const labels = ['route', 'method', 'status']
    this.#requests = metrics.counter('splitstream_http_requests_total', 'Requests answered', labels)
    this.#duration = metrics.histogram(
      'splitstream_http_request_duration_seconds',
      'From the head of the request to the end of its answer',
      seconds,
      labels,
    )
  }

  /** @param route undefined: no route matched. Neither its path nor its method is a label then: both are the client's. */
  observe(route: Route | undefined, status: number, tookMs: number): void {
    const labels = this.#labelsOf(route, status)
    this.#requests.add(1, labels)
    this.#duration.observe(tookMs / 1000, labels)
  }

  #labelsOf(route: Route | undefined, status: number): Labels {
    let byStatus = this.#labels.get(route)
    if (!byStatus) {
      byStatus = []
      this.#labels.set(route, byStatus)
    }
    byStatus[status] ??= { route: route?.path ?? 'none', method: route?.method ?? 'none', status: String(status) }
    return byStatus[status]
  }
}
