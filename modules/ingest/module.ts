import type { Clock, LogWriter, Metrics, Module } from '@splitstream/kernel'
import type { StorageRead } from '@splitstream/storage/contract'
import { ingestRoutes } from './adapters/http-routes.ts'
import { createAppend, type IngestLimits } from './app/append-events.ts'
import type { IngestAppend } from './contract/index.ts'

export { ingestOperations as operations } from './adapters/operations.ts'

export interface IngestDeps {
  readonly log: LogWriter
  readonly storage: Pick<StorageRead, 'awaitStored'>
  readonly clock: Clock
  readonly metrics: Metrics
  readonly limits: IngestLimits
}

/** The ingest module: HTTP body → checked events → one durable append. It owns no data but what it puts in the log. */
export function createIngestModule(deps: IngestDeps): Module<{ append: IngestAppend }> {
  const events = deps.metrics.counter('splitstream.ingest.events', 'Events received, by outcome', ['outcome'])
  const accepted = { outcome: 'accepted' }
  const rejected = { outcome: 'rejected' }
  const run = createAppend(deps)
  const append: IngestAppend = {
    append: async (input, call) => {
      const receipt = await run(input, call)
      events.add(receipt.accepted, accepted)
      if (receipt.rejected > 0) events.add(receipt.rejected, rejected)
      return receipt
    },
  }
  return {
    ports: { append },
    routes: ingestRoutes(append, deps.storage),
    start: async () => undefined,
    stop: async () => undefined,
    health: () => ({ state: 'ok' }),
  }
}
