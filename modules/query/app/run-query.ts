import type { Call } from '@splitstream/kernel'
import type { AggregateInput, StorageRead, Table } from '@splitstream/storage/contract'

/** One aggregation, after the events up to `after` are stored. */
export async function runQuery(
  { storage }: { storage: StorageRead },
  { input, after }: { input: AggregateInput; after: string | undefined },
  call: Call,
): Promise<Table> {
  if (after !== undefined) await storage.awaitStored({ position: after }, call)
  return storage.aggregate(input, call)
}
