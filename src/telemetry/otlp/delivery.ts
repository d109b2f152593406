import { AppError, type Logger } from '@splitstream/kernel'
import type { Dependency } from '../../health/dependency.ts'
import type { ProcessHealth } from '../../health/process-health.ts'

/** As exporters of the SDK report: code 0 is success. */
interface Result {
  readonly code: number
  readonly error?: Error
}

interface Exporter<T> {
  export(batch: T, done: (result: Result) => void): void
}

/** A p99 above it is bad, ms. */
const slowMs = 1_000

/** Says once that the collector takes nothing, and once that it does again. */
export class Delivery {
  readonly #collector: string
  readonly #logger: Logger
  #failing = false
  #dependency: Dependency | undefined

  /** @param collector host and port */
  constructor(collector: string, logger: Logger) {
    this.#collector = collector
    this.#logger = logger
  }

  /** From now on the collector is a dependency of the process: down while it does not take what was sent last. */
  watchedBy(health: ProcessHealth): void {
    const probe = health.probe('The collector', async () => {
      if (this.#failing) throw new AppError('UNAVAILABLE', 'it took nothing of what was sent last')
    })
    this.#dependency = health.dependency('collector', { slowMs, probe })
  }

  /** The same exporter, whose results are noted. */
  watched<T, E extends Exporter<T>>(exporter: E & Exporter<T>): E {
    const send = exporter.export.bind(exporter)
    exporter.export = (batch, done) => {
      const sent = Promise.withResolvers<void>()
      this.#dependency
        ?.run(
          () => sent.promise,
          () => 'bad',
        )
        .catch(() => undefined)
      sent.promise.catch(() => undefined)
      send(batch, (result) => {
        this.#note(result)
        if (result.code === 0) sent.resolve()
        else sent.reject(result.error)
        done(result)
      })
    }
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
