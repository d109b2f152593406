import type { Character, Rule } from './ledger/messages.ts'
import { backward, operations } from './ledger/operations.ts'

/** What participants are like, what they declare to the engine, and how they go wrong. */
export interface Hostility {
  readonly character: Character
  /** Members of each participant in the definitions: its side of the contract. */
  readonly declares: Readonly<Record<string, unknown>>
  readonly rules: readonly Rule[]
  /** What a saga that is left to people has to say about why. Without it none may be. */
  readonly leaves?: RegExp
}

const everywhere = (share: number, fault: Rule['fault'], times = 3): Rule => ({ operations, share, fault, times })

/** Takes effect and says nothing, for longer than keys are remembered: nobody can know by the key alone. */
const silence: readonly Rule[] = [
  everywhere(0.12, { kind: 'hang', effect: true }, 5),
  everywhere(0.06, { kind: 'hang', effect: false }, 5),
  everywhere(0.08, { kind: 'reset', effect: true }),
  everywhere(0.08, { kind: 'reset', effect: false }),
]
const forgets = { guard: 'keys', keyWindowMs: 2_000 } as const
const keyWindow = { keyWindow: '2s' }

/** Longer than a call, and than keys are remembered, and than the engine waits before it asks what became of a call. */
const slowly: readonly Rule[] = [everywhere(0.12, { kind: 'slow', ms: 5_000 }, 1)]

const errors: readonly Rule[] = [
  everywhere(0.1, { kind: 'status', status: 500, effect: false }),
  everywhere(0.1, { kind: 'status', status: 500, effect: true }),
]
const replays = { guard: 'keys', replaysErrors: true } as const

const refusals: readonly Rule[] = [
  everywhere(0.06, { kind: 'status', status: 409, effect: false }),
  everywhere(0.06, { kind: 'status', status: 425, effect: false }),
  everywhere(0.06, { kind: 'status', status: 429, effect: false, retryAfter: 1 }),
  everywhere(0.06, { kind: 'status', status: 503, effect: true, retryAfter: 1 }),
  everywhere(0.03, { kind: 'status', status: 422, effect: false }),
  // Where there is no way on: enough of them that some sagas are left to people.
  { operations: [...backward, 'capture'], share: 0.1, fault: { kind: 'status', status: 422, effect: false }, times: 3 },
]

const broken: readonly Rule[] = [
  everywhere(0.08, { kind: 'hang', effect: true }, 2),
  everywhere(0.08, { kind: 'reset', effect: true }, 2),
  everywhere(0.08, { kind: 'reset', effect: false }, 2),
  everywhere(0.05, { kind: 'cut' }, 2),
  everywhere(0.05, { kind: 'cut', stalls: true }, 2),
  everywhere(0.2, { kind: 'slow', ms: 250 }),
]

const reconcile = /RECONCILE|may have taken effect/

export const hostilities: Readonly<Record<string, Hostility>> = {
  'forgets keys': { character: forgets, declares: keyWindow, rules: silence, leaves: reconcile },
  'forgets keys, can be asked': {
    character: forgets,
    declares: { ...keyWindow, lookup: { path: '/requests/KEY' } },
    rules: silence,
  },
  'takes effect late': { character: { guard: 'keys' }, declares: {}, rules: slowly },
  // A lookup says 409 while the call runs.
  'takes effect late, forgets keys, can be asked': {
    character: forgets,
    declares: { ...keyWindow, lookup: { path: '/requests/KEY' } },
    rules: slowly,
  },
  // A lookup says 404 while the call runs, and it must not take effect any more.
  'is late, keeps to timeouts, forgets what runs, can be asked': {
    character: { ...forgets, forgetsRunning: true, keepsTimeouts: true },
    declares: { ...keyWindow, lookup: { path: '/requests/KEY' } },
    rules: slowly,
  },
  'replays errors': {
    character: replays,
    declares: { replaysErrors: true },
    rules: errors,
    // After the pivot nothing can be undone, and the same key gives the same error.
    leaves: /RECONCILE|may have taken effect|capture: HTTP_500/,
  },
  'replays errors, can be asked': {
    character: replays,
    declares: { replaysErrors: true, lookup: { path: '/requests/KEY' } },
    rules: errors,
  },
  // 422 says that the request is wrong: that is no way to undo, nor after the pivot.
  'answers 409, 422, 425, 429, 503': { character: { guard: 'barrier' }, declares: {}, rules: refusals, leaves: /422/ },
  'hangs, answers and resets': { character: { guard: 'keys' }, declares: {}, rules: broken },
  'cannot undo for a while': {
    character: { guard: 'keys' },
    declares: {},
    rules: [{ operations: backward, share: 1, fault: { kind: 'status', status: 503, effect: false }, forMs: 3_000 }],
  },
}
