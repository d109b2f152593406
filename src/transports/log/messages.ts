import type { PackedRow, RecordTrace } from './row.ts'

export interface GroupOffset {
  readonly group: string
  readonly partition: number
  readonly next: number
}

/** Places of a partition that its log left out when it was restored: those after `from`, up to `to`. */
export interface Skip {
  readonly partition: number
  readonly from: number
  readonly to: number
}

export interface Bounds {
  readonly start: number
  readonly end: number
  readonly bytes: number
}

export type ToWorker =
  | {
      readonly kind: 'commit'
      readonly rows: readonly PackedRow[]
      readonly traces: readonly RecordTrace[]
      readonly appendedAt: number
      readonly offsets: readonly GroupOffset[]
    }
  /** Delete what is older than the limits, never beyond `floors` (by partition). */
  | {
      readonly kind: 'trim'
      readonly floors: readonly number[]
      readonly keepBytes: number
      readonly olderThan: number
    }
  | { readonly kind: 'close' }

export type FromWorker =
  | {
      readonly kind: 'opened'
      readonly bounds: readonly Bounds[]
      readonly offsets: readonly GroupOffset[]
      readonly skips: readonly Skip[]
    }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'committed' }
  /** `full`: no room, and nothing of the commit is in the log. Otherwise it may be: `reopened` follows, or the worker ends. */
  | { readonly kind: 'failed'; readonly full: boolean; readonly message: string }
  | { readonly kind: 'reopened'; readonly bounds: readonly Bounds[] }
  /** The next commit may come: sent after each of them, once its period is over. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'trimmed'; readonly bounds: readonly Bounds[] }
  | { readonly kind: 'closed' }
