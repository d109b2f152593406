import type { Call } from '@splitstream/kernel'
import type { AggregateInput, StorageRead, Table } from '@splitstream/storage/contract'
import { awaitPosition } from './await-position.ts'

/** One aggregation, after the events up to `after` are stored. */
export async function runQuery(
  { storage, partitions }: { storage: StorageRead; partitions: number },
  { input, after }: { input: AggregateInput; after: string | undefined },
  call: Call,
): Promise<Table> {
  if (after !== undefined) await awaitPosition({ storage, partitions }, after, call)
  return storage.aggregate(input, call)
}
