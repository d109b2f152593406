import type { Clock, Logger, Postgres } from '@splitstream/kernel'
import type { Definitions } from '../adapters/definitions.ts'
import type { SagaRows } from '../adapters/saga-rows.ts'
import type { Ends } from './ends.ts'
import type { Plans } from './plans.ts'
import type { SagaWorker } from './worker.ts'

/** What the use cases of the module work with. */
export interface SagaDeps {
  readonly worker: SagaWorker
  readonly plans: Plans
  readonly definitions: Definitions
  readonly rows: SagaRows
  readonly postgres: Postgres
  readonly ends: Ends
  readonly clock: Clock
  readonly logger: Logger
  /** Idempotency keys of requests that are being answered here. */
  readonly answering: Set<string>
}
