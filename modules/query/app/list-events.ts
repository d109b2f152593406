import type { Call } from '@splitstream/kernel'
import type { CloudEvent, Filter, StorageRead, TimeRange } from '@splitstream/storage/contract'
import { decodeCursor, encodeCursor } from '../domain/cursor.ts'
import { awaitPosition } from './await-position.ts'

export interface ListRequest {
  readonly range: TimeRange
  readonly filters: readonly Filter[]
  readonly limit: number
  readonly cursor?: string | undefined
  /** Wait until storage has this position. */
  readonly after?: string | undefined
}

export interface EventPage {
  readonly events: readonly CloudEvent[]
  readonly next: string | null
  readonly position: string
}

/** Events, newest first, a page at a time. */
export async function listEvents(
  { storage, cursorSecret, partitions }: { storage: StorageRead; cursorSecret: Uint8Array; partitions: number },
  { range, filters, limit, cursor, after }: ListRequest,
  call: Call,
): Promise<EventPage> {
  const scope = { tenant: call.tenant, range, filters }
  const before = cursor === undefined ? undefined : decodeCursor(cursorSecret, scope, cursor)
  if (after !== undefined) await awaitPosition({ storage, partitions }, after, call)
  const { events, next, position } = await storage.list({ range, filters, limit, before }, call)
  return { events, next: next && encodeCursor(cursorSecret, scope, next), position }
}
