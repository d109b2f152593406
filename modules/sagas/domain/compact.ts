import { decodeEntries, type Entry, encodeEntries, type Progress } from './entry.ts'
import { applyEntry, foldEntries, type Tries } from './state.ts'

/** Attempts of one call that stay in the journal one by one: those with which it began, and those of late. */
const kept = { first: 3, last: 7 }
/** Below this it is not worth it, characters. */
const longFrom = 16 * 1024

/**
 * A step after the pivot is tried for days, and one whose breaker is open is put off again and again, so a journal would grow
 * for as long. This gives one that says the same in fewer words, or undefined when there is no need to.
 */
export function compactJournal(journal: string): string | undefined {
  if (journal.length < longFrom) return undefined
  const compacted = encodeEntries(compactEntries(decodeEntries(journal)))
  return compacted.length < journal.length / 2 ? compacted : undefined
}

type Attempt = Extract<Entry, { e: 'go' | 'retry' | 'undo' | 'undo-retry' | 'tries' }>

/** The same state in the end; of each call's attempts without a result only the first and the latest, and their number. */
export function compactEntries(entries: readonly Entry[]): Entry[] {
  const gone = new Set<Entry>()
  const sums = new Map<Entry, number>()
  for (const attempts of Map.groupBy(entries.filter(isAttempt), callOf).values()) {
    const dropped = attempts.slice(2 * kept.first, endOfDropped(attempts))
    const last = dropped.at(-1)
    if (last === undefined) continue
    for (const entry of dropped) gone.add(entry)
    sums.set(
      last,
      dropped.reduce((sum, entry) => sum + countOf(entry), 0),
    )
  }
  const state = foldEntries([])
  return entries.flatMap((entry) => {
    applyEntry(state, entry)
    const x = sums.get(entry)
    if (x === undefined || !isAttempt(entry)) return gone.has(entry) ? [] : [entry]
    const step = state.steps.get(entry.s)!
    const undo = callOf(entry) !== entry.s
    const to = progressOf(undo ? step.undo! : step)
    return [{ e: 'tries', s: entry.s, t: entry.t, ...(undo && { u: 1 }), x, to }]
  })
}

function isAttempt(entry: Entry): entry is Attempt {
  return ['go', 'retry', 'undo', 'undo-retry', 'tries'].includes(entry.e)
}

/** What the attempt is one of: the call of a step, or its undo. */
function callOf(entry: Attempt): string {
  const undo = entry.e === 'undo' || entry.e === 'undo-retry' || (entry.e === 'tries' && entry.u === 1)
  return undo ? `${entry.s} undo` : entry.s
}

/** Each attempt that ended without a result is two entries; what is dropped ends with one that has ended. */
function endOfDropped(attempts: readonly Attempt[]): number {
  let end = attempts.length - 2 * kept.last
  while (end > 0 && (attempts[end - 1]!.e === 'go' || attempts[end - 1]!.e === 'undo')) end--
  return Math.max(end, 0)
}

function countOf(entry: Attempt): number {
  if (entry.e === 'tries') return entry.x
  return entry.e === 'retry' || entry.e === 'undo-retry' ? 1 : 0
}

function progressOf(tries: Tries): Progress {
  const { attempts, firstAt, lastAt, silentAt, keyAt, key, erred, effect, due, problem } = tries
  const { code = '', detail = '' } = problem ?? {}
  const times = { first: firstAt, last: lastAt, silent: silentAt, keyAt, due }
  return { n: attempts, ...times, key, erred, fx: effect, c: code, d: detail }
}
