import type { Entry } from '../../domain/entry.ts'

/** When something was begun, last heard of, and over; t, ms since the saga's start. */
export interface Span {
  readonly from: number
  last: number
  to: number | undefined
}

export interface StepSpans {
  forward: Span | undefined
  undo: Span | undefined
  /** An operator said that it is not to be done. */
  skipped: boolean
}

/** The times of all steps that were begun, in the order in which they were. The state (domain/state.ts) does not keep them. */
export function stepSpans(entries: readonly Entry[]): Map<string, StepSpans> {
  const spans = new Map<string, StepSpans>()
  let turned = false
  for (const entry of entries) {
    if (entry.e === 'turn') turned = true
    else if ('s' in entry && entry.s !== undefined && entry.e !== 'halt') note(spansOf(spans, entry.s), entry, turned)
  }
  return spans
}

type OfStep = Exclude<Entry, { e: 'start' | 'turn' | 'halt' | 'end' }>

function note(spans: StepSpans, entry: OfStep, turned: boolean): void {
  const { t } = entry
  switch (entry.e) {
    case 'by': {
      if (entry.no !== undefined) return
      const undo = turned && entry.a !== 'cancel'
      if (entry.a === 'skip' && !undo) spans.skipped = true
      return see(spans, undo, t, entry.a !== 'retry')
    }
    case 'done':
    case 'failed':
      return see(spans, false, t, true)
    case 'undone':
    case 'stuck':
      return see(spans, true, t, true)
    case 'undo':
    case 'undo-retry':
      return see(spans, true, t, false)
    case 'tries':
      return see(spans, entry.u === 1, t, false)
    default:
      see(spans, false, t, false)
  }
}

function see(spans: StepSpans, undo: boolean, t: number, over: boolean): void {
  const side = undo ? 'undo' : 'forward'
  spans[side] ??= { from: t, last: t, to: undefined }
  spans[side].last = t
  spans[side].to = over ? t : undefined
}

function spansOf(spans: Map<string, StepSpans>, step: string): StepSpans {
  let own = spans.get(step)
  if (!own) {
    own = { forward: undefined, undo: undefined, skipped: false }
    spans.set(step, own)
  }
  return own
}
