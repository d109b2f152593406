import type { Logger } from '@splitstream/kernel'

/** As exporters of the SDK report: code 0 is success. */
interface Result {
  readonly code: number
  readonly error?: Error
}

interface Exporter<T> {
  export(batch: T, done: (result: Result) => void): void
}

/** Says once that the collector takes nothing, and once that it does again. */
export class Delivery {
  readonly #collector: string
  readonly #logger: Logger
  #failing = false

  /** @param collector host and port */
  constructor(collector: string, logger: Logger) {
    this.#collector = collector
    this.#logger = logger
  }

  /** The same exporter, whose results are noted. */
  watched<T, E extends Exporter<T>>(exporter: E & Exporter<T>): E {
    const send = exporter.export.bind(exporter)
    exporter.export = (batch, done) =>
      send(batch, (result) => {
        this.#note(result)
        done(result)
      })
    return exporter
  }

  #note({ code, error }: Result): void {
    const failed = code !== 0
    if (failed === this.#failing) return
    this.#failing = failed
    const fields = { collector: this.#collector }
    if (failed) this.#logger.warn('the collector takes no telemetry', { ...fields, error: error?.name ?? 'unknown' })
    else this.#logger.info('the collector takes telemetry again', fields)
  }
}
