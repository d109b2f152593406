import { type Clock, type Logger, messageOf, type Postgres } from '@splitstream/kernel'
import { giveTurnBack, takeTurn } from '../adapters/housekeeping.ts'
import { forgetRefused } from '../adapters/outbox.ts'
import { ensurePartitions } from '../adapters/partitions.ts'
import { forgetSagas } from '../adapters/retention.ts'
import { forgetEarly } from '../adapters/waits.ts'

/** How often it is tidied up, and how often each process looks whether it is its turn, ms. */
const [everyMs, lookMs] = [3_600_000, 60_000]
/** For how long events are kept for steps that do not wait yet, ms. */
const keepEarlyMs = 86_400_000
/** What one turn spends on forgetting at most, ms: sagas, and then events. */
const forgetMs = 300_000

export interface HouseDeps {
  readonly postgres: Postgres
  readonly clock: Clock
  readonly logger: Logger
  /** For how long sagas that have ended are kept, ms. */
  readonly retainMs: number
  /** For how long the events are known that started sagas, ms. */
  readonly retainKeysMs: number
}

/** Makes partitions for what comes, and puts an end to what is old: every hour, in one process at a time. */
export class HouseKeeper {
  readonly #deps: HouseDeps
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(deps: HouseDeps) {
    this.#deps = deps
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    for (;;) {
      await this.#deps.clock.sleep(lookMs, signal).catch(() => undefined)
      if (signal.aborted) return
      await keepHouse(this.#deps, signal).catch((error: unknown) => {
        this.#deps.logger.warn('the tables of sagas could not be tidied up; trying again', { error: messageOf(error) })
      })
    }
  }
}

/** Takes the turn, if there is one. @throws AppError UNAVAILABLE and what else Postgres says: then there is one again */
export async function keepHouse(deps: HouseDeps, signal: AbortSignal): Promise<void> {
  const { postgres, logger, retainMs } = deps
  const now = await takeTurn(postgres, everyMs)
  if (now === undefined) return
  let done = false
  try {
    await ensurePartitions(postgres, now)
    const sagasDone = await forgetEnded(deps, now, signal)
    const ignored = await forgetRefused(postgres, now - retainMs)
    if (ignored > 0)
      logger.warn('events that ingest had refused are gone, and nobody dealt with them', { events: ignored })
    done = (await forgetOld(deps, now - keepEarlyMs, signal)) && sagasDone
  } finally {
    if (!done) await giveTurnBack(postgres)
  }
}

/** @returns whether nothing is left to do */
async function forgetEnded(deps: HouseDeps, now: number, signal: AbortSignal): Promise<boolean> {
  const { postgres, clock, logger, retainMs, retainKeysMs } = deps
  const until = clock.monotonic() + forgetMs
  const goesOn = () => clock.monotonic() < until && !signal.aborted
  const retention = { before: now - retainMs, keysBefore: now - retainKeysMs, goesOn }
  const { dropped, sagas, open, oldest, done } = await forgetSagas(postgres, retention)
  if (dropped.length > 0 || sagas > 0) {
    logger.info('sagas that ended long ago are gone', { partitions: dropped, sagas })
  }
  if (open > 0) logger.warn('sagas of long ago have not ended, and are kept', { sagas: open, oldest })
  return done
}

async function forgetOld({ postgres, clock }: HouseDeps, before: number, signal: AbortSignal): Promise<boolean> {
  const until = clock.monotonic() + forgetMs
  while (clock.monotonic() < until && !signal.aborted) {
    if ((await forgetEarly(postgres, before)) === 0) return true
  }
  return false
}
