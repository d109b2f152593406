import type { Json } from './json.ts'

/**
 * The journal of a saga: facts, each written once, in the order in which they were committed. Folding them from the first to
 * the last gives the state (state.ts), so a journal is all that another worker needs to go on, and all that history shows.
 * Nothing is decided again when it is read: a branch that was taken and an output that was mapped are facts.
 *
 * Members are short because four to eight of these are written for each saga: `e` what happened, `t` when (ms since the
 * saga's start, by the database's clock), `s` step, `n` attempt, `c` code, `d` detail for people.
 */
export type Entry =
  /** The saga exists. `at`: the start, ms since the epoch. `in`: its input. */
  | { readonly e: 'start'; readonly t: 0; readonly at: number; readonly in: Json; readonly from?: Origin }
  /** Intent: attempt `n` may leave from now on. `look`: it only asks what became of the ones before. */
  | { readonly e: 'go'; readonly s: string; readonly n: number; readonly t: number; readonly look?: 1 }
  /**
   * Attempt `n` ended without a result; another is due at `due`. `fx`: whether it may have taken effect. `k`: a lookup said
   * that nothing ever did, so the next attempt begins anew under this generation of the key. `free`: it was never sent, as the
   * participant is not being called at the moment, and does not count.
   */
  | {
      readonly e: 'retry'
      readonly s: string
      readonly n: number
      readonly t: number
      readonly due: number
      readonly fx: Effect
      readonly k?: number
      readonly free?: 1
      readonly c: string
      readonly d: string
    }
  /** Stands for `x` attempts that ended without a result, of the step or (`u`) of its undo: where they had come to (compact.ts). */
  | {
      readonly e: 'tries'
      readonly s: string
      readonly t: number
      readonly u?: 1
      readonly x: number
      readonly to: Progress
    }
  /** The step is done; `o` is its output. `ev`: the event that it waited for and took. */
  | { readonly e: 'done'; readonly s: string; readonly t: number; readonly o?: Json; readonly ev?: EventName }
  /** The step failed for good. `fx`: what is known of its effect. */
  | {
      readonly e: 'failed'
      readonly s: string
      readonly t: number
      readonly fx: Effect
      readonly c: string
      readonly d: string
    }
  /** The step waits: for an instant (`u`), an event or a lock (until `u`), a child (no `u`). `id`: the child's. */
  | { readonly e: 'wait'; readonly s: string; readonly t: number; readonly u?: number; readonly id?: string }
  /** A choice took branch `b`; -1 for none. */
  | { readonly e: 'pick'; readonly s: string; readonly t: number; readonly b: number }
  /** From here on what was done is undone. */
  | { readonly e: 'turn'; readonly t: number; readonly c: string; readonly d: string; readonly s?: string }
  /** The same for attempts to undo the step. */
  | { readonly e: 'undo'; readonly s: string; readonly n: number; readonly t: number; readonly look?: 1 }
  | {
      readonly e: 'undo-retry'
      readonly s: string
      readonly n: number
      readonly t: number
      readonly due: number
      readonly fx: Effect
      readonly k?: number
      readonly free?: 1
      readonly c: string
      readonly d: string
    }
  | { readonly e: 'undone'; readonly s: string; readonly t: number }
  /** The undo has spent its attempts: a person has to look. */
  | { readonly e: 'stuck'; readonly s: string; readonly t: number; readonly c: string; readonly d: string }
  /** The saga cannot go on by itself. `s`: the step because of which. */
  | { readonly e: 'halt'; readonly t: number; readonly c: string; readonly d: string; readonly s?: string }
  /** An operator acted. `m`: the message that asked for it; `k`: the key of the next attempt; `no`: why it was not done. */
  | {
      readonly e: 'by'
      readonly t: number
      readonly m: string
      readonly who: string
      readonly a: Action
      readonly s?: string
      readonly o?: Json
      readonly k?: number
      readonly note?: string
      readonly no?: string
    }
  | { readonly e: 'end'; readonly t: number; readonly as: 'completed' | 'compensated'; readonly o?: Json }

/** What an event is known by, within its tenant. */
export type EventName = readonly [source: string, id: string]

/** What a call may have done to the world: `none` certainly nothing, `unknown` perhaps. */
export type Effect = 'none' | 'unknown'

/** Attempts of one call, as the state has them: members as those of Tries there. */
export interface Progress {
  readonly n: number
  readonly first: number
  readonly last: number
  readonly silent: number
  readonly keyAt: number
  readonly key: number
  readonly erred: boolean
  readonly fx: Effect
  readonly due: number
  readonly c: string
  readonly d: string
}

export const actions = ['cancel', 'retry', 'skip', 'resolve'] as const
export type Action = (typeof actions)[number]

/** Why the saga exists, when nobody asked for it over HTTP. */
export interface Origin {
  /** The event that triggered it: `<source> <id>`; when it was received, ms since the epoch. */
  readonly event?: string
  readonly received?: number
  /** What participants know it by (alias.ts). */
  readonly alias?: string
  /** The saga and step that it is a child of. */
  readonly parent?: string
  readonly step?: string
  /** Of a child: how far it lags behind events, ms (event-time.ts). */
  readonly lag?: number
  readonly trace?: string
}

/** As kept: one line of JSON each, the newest first, so that adding to it changes only its beginning. */
export function encodeEntries(entries: readonly Entry[]): string {
  let text = ''
  for (const entry of entries) text = `${JSON.stringify(entry)}\n${text}`
  return text
}

/** In the order in which they happened. @throws SyntaxError when it is no journal */
export function decodeEntries(journal: string): Entry[] {
  const lines = journal.split('\n')
  lines.pop()
  return lines.toReversed().map((line) => JSON.parse(line) as Entry)
}
