import { durationBuckets, type Metrics, type Route } from '@splitstream/kernel'

interface Labels extends Readonly<Record<string, string | number>> {
  readonly 'http.route': string
  readonly 'http.request.method': string
  readonly 'http.response.status_code': number
}

const names = ['http.route', 'http.request.method', 'http.response.status_code']

/** Times requests; their number is that of the times. The label objects are made once for each (route, status). */
export class HttpMetrics {
  readonly #duration: ReturnType<Metrics['histogram']>
  readonly #labels = new Map<Route | undefined, Labels[]>()

  constructor(metrics: Metrics) {
    this.#duration = metrics.histogram(
      'http.server.request.duration',
      'From the head of the request to the end of its answer',
      durationBuckets,
      names,
    )
  }

  /** @param route undefined: no route matched. Neither its path nor its method is a label then: both are the client's. */
  observe(route: Route | undefined, status: number, tookMs: number): void {
    this.#duration.observe(tookMs / 1000, this.#labelsOf(route, status))
  }

  #labelsOf(route: Route | undefined, status: number): Labels {
    let byStatus = this.#labels.get(route)
    if (!byStatus) {
      byStatus = []
      this.#labels.set(route, byStatus)
    }
    byStatus[status] ??= {
      'http.route': route?.path ?? 'none',
      'http.request.method': route?.method ?? '_OTHER',
      'http.response.status_code': status,
    }
    return byStatus[status]
  }
}
