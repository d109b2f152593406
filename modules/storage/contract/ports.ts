import { type Call, defineCallPort } from '@splitstream/kernel'

/** A field of an event: an envelope attribute, or a path into JSON data such as `data.origin.code`. */
export type Field = string

export type CompareOp = 'eq' | 'ne' | 'lt' | 'lte' | 'gt' | 'gte' | 'in' | 'nin' | 'contains' | 'exists'
export type Scalar = string | number | boolean

export interface Filter {
  readonly field: Field
  readonly op: CompareOp
  /** `in`/`nin` take a list; `exists` takes true or false. */
  readonly value: Scalar | readonly Scalar[]
}

/** from ≤ time < to; RFC 3339 instants or undefined. */
export interface TimeRange {
  readonly from?: string | undefined
  readonly to?: string | undefined
}

export interface ListInput {
  readonly range: TimeRange
  readonly filters: readonly Filter[]
  /** 1 … 10,000 */
  readonly limit: number
  /** Continue below this event (newest first), as the previous page's `next` gave it. */
  readonly before?: ListPlace | undefined
}

/**
 * The place of an event in the order of a listing: time (µs), then key (u64), then place in the log, all descending. The
 * last two tell events apart whose keys collide. Decimal texts.
 */
export interface ListPlace {
  readonly time: string
  readonly key: string
  readonly partition: string
  readonly offset: string
}

/** A CloudEvent in JSON form: envelope attributes, extensions, data or data_base64. */
export type CloudEvent = Readonly<Record<string, unknown>>

export interface ListPage {
  readonly events: readonly CloudEvent[]
  readonly next: ListPlace | null
  /** Opaque token: the answer is complete up to here. */
  readonly position: string
}

export type MeasureFn = 'count' | 'uniq' | 'sum' | 'avg' | 'min' | 'max' | 'quantile'

export interface Measure {
  readonly fn: MeasureFn
  /** Absent only for count. */
  readonly field?: Field | undefined
  /** quantile: 0 … 1 */
  readonly q?: number | undefined
  readonly as: string
}

export interface AggregateInput {
  readonly measures: readonly Measure[]
  readonly groupBy: readonly Field[]
  /** Bucket width in seconds (fixed) or a calendar unit; adds the column `time`. */
  readonly interval?:
    | {
        readonly n: number
        readonly unit: 'second' | 'minute' | 'hour' | 'day' | 'week' | 'month' | 'quarter' | 'year'
      }
    | undefined
  readonly range: TimeRange
  readonly filters: readonly Filter[]
  /** Conditions on measures, by their `as`. */
  readonly having: readonly Filter[]
  readonly orderBy: readonly { readonly by: string; readonly dir: 'asc' | 'desc' }[]
  readonly limit: number
}

export interface Column {
  readonly name: string
  readonly type: 'string' | 'number' | 'boolean' | 'time' | 'json'
}

export interface Table {
  readonly columns: readonly Column[]
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly position: string
}

export interface FollowInput {
  readonly filters: readonly Filter[]
  /** The events beyond this position follow. Absent: those beyond what is confirmed now. */
  readonly from?: string | undefined
  /** What follows of partitions that `from` does not name: all of their events (default), or those that are new. */
  readonly unnamed?: 'all' | 'new' | undefined
}

export interface FollowedEvent {
  readonly event: CloudEvent
  /** Following from here goes on with the next event. Names every partition that has been gone beyond. */
  readonly position: string
}

export interface FollowPage {
  /** In the order of the log within each partition, so of each partition key. */
  readonly events: readonly FollowedEvent[]
  /** Everything up to here has been given. */
  readonly position: string
}

/** storage.read: the only way to stored events. The tenant is the call's. */
export interface StorageRead {
  list(input: ListInput, call: Call): Promise<ListPage>
  aggregate(input: AggregateInput, call: Call): Promise<Table>
  /**
   * Resolves with the confirmed position once it covers `position`: from then on every query sees those events.
   * @throws AppError NOT_YET_STORED when the budget ends before that.
   */
  awaitStored(input: { position: string }, call: Call): Promise<{ position: string }>
  /**
   * Events as they are stored, each exactly once, without end. The first page is empty and says where it begins; more come when
   * there are events, and every 10 s. It ends when the process stops: go on from the last position, here or at another instance.
   * @throws AppError REQUEST_INVALID, POSITION_INVALID; while it is iterated what `list` throws
   */
  follow(input: FollowInput, call: Call): Promise<AsyncIterable<FollowPage>>
}

export const storageReadPort = defineCallPort<StorageRead>('storage.read', 1, {
  list: { idempotent: true, budgetMs: 30_000 },
  aggregate: { idempotent: true, budgetMs: 30_000 },
  awaitStored: { idempotent: true, budgetMs: 30_000 },
  follow: { idempotent: true, budgetMs: 30_000, streams: true },
})
