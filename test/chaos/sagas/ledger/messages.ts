import type { Operation } from './operations.ts'

/** What a participant is like, whatever befalls it. */
export interface Character {
  /** `barrier`: the participant kit. `keys`: nothing but a memory of Idempotency-Keys. */
  readonly guard: 'barrier' | 'keys'
  /** For how long a key is remembered, ms; for ever when not given. `keys` only. */
  readonly keyWindowMs?: number
  /** A key that was answered 5xx gets it again. `keys` only. */
  readonly replaysErrors?: boolean
  /** It forgets also the keys of calls that still run. `keys` only. */
  readonly forgetsRunning?: boolean
  /** Nothing takes effect when the time is over that the caller said (Request-Timeout). `keys` only. */
  readonly keepsTimeouts?: boolean
  /** Refuses fencing tokens older than one that it has seen, of the saga and of the lock. */
  readonly checksFences?: boolean
}

/** How a call goes wrong. `effect`: it takes place all the same. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly effect: boolean; readonly retryAfter?: number }
  /** Never answers. */
  | { readonly kind: 'hang'; readonly effect: boolean }
  /** The connection is reset in place of an answer. */
  | { readonly kind: 'reset'; readonly effect: boolean }
  /** Half of the answer, then a reset; or, when it stalls, nothing more. */
  | { readonly kind: 'cut'; readonly stalls?: boolean }
  /** Everything comes later, also when the caller has left: its effect, too. */
  | { readonly kind: 'slow'; readonly ms: number }

/** Befalls this share of the calls of these operations. */
export interface Rule {
  readonly operations: readonly Operation[]
  readonly share: number
  readonly fault: Fault
  /** Only so many first arrivals of each key, then it behaves. */
  readonly times?: number
  /** Only for so long from now on, ms. */
  readonly forMs?: number
}

/** Kills the worker that sends the n-th call in this direction whose order begins with `orders`. */
export interface Strike {
  readonly orders: string
  readonly undo: boolean
  readonly nth: number
  /** On receipt, before anything; after the effect, before the answer; after the answer was written. */
  readonly at: 'received' | 'effected' | 'answered'
  /** On receipt: the call is lost with its sender; else it takes effect though nobody hears of it. */
  readonly lost: boolean
}

/** A call as it arrived. */
export interface Arrival {
  readonly saga: string
  readonly order: string
  readonly step: string
  readonly operation: Operation
  readonly undo: boolean
  readonly key: string
  readonly fence: number
  /** Of sagas that hold a lock on the item, on every call: its fencing number. */
  readonly item?: string
  readonly lock?: number
  /** ms, by the ledger's own monotonic clock. */
  readonly at: number
}

/** Something that was really done. */
export interface Effect extends Arrival {
  readonly n: number
}

/**
 * Money and pieces of goods at one moment: what accounts and shelves have is moved by effects; what is between (charged and
 * neither captured nor refunded; reserved and not released) is counted once for each order. Both together never change.
 */
export interface Look {
  readonly money: number
  readonly pieces: number
}

/** What the harness asks of the ledger; one at a time. */
export type Question =
  /** → URL */
  | { kind: 'listen'; file: string; postgresUrl: string }
  /** From now on. → null */
  | { kind: 'behave'; seed: number; character: Character; rules: readonly Rule[] }
  /** Undefined for none. → null */
  | { kind: 'strike'; strike: Strike | undefined }
  /** → Struck[] since the last question */
  | { kind: 'struck' }
  /** → Look */
  | { kind: 'look' }
  /** Of orders that begin with this. → Audit */
  | { kind: 'audit'; orders: string }

export interface Struck {
  readonly pid: number
  readonly saga: string
  readonly step: string
}

export interface Audit {
  readonly arrivals: readonly Arrival[]
  readonly effects: readonly Effect[]
  /** Calls that went wrong, and requests that only asked what became of another; since the last `behave`. */
  readonly faults: number
  readonly lookups: number
  /** What no participant should ever see. */
  readonly wrong: readonly string[]
  /** The moment of this answer, by the clock of the arrivals. */
  readonly now: number
}
