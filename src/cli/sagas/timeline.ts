import { printable } from '../table.ts'
import type { HistoryEvent } from './answers.ts'

/** The history of a saga as lines for people: when, counted from the first event; what of; what happened. */
export function timeline(history: readonly HistoryEvent[]): string {
  const start = Date.parse(history[0]?.at ?? '')
  const lines = history.map((event) => ({
    when: after(Date.parse(event.at) - start),
    what: event.step === undefined ? '' : event.undo ? `undo of ${event.step}` : event.step,
    said: printable(sentence(event)),
  }))
  const width = (of: 'when' | 'what') => Math.max(0, ...lines.map((line) => line[of].length))
  const [first, second] = [width('when'), width('what')]
  return lines.map(({ when, what, said }) => `${when.padStart(first)}  ${what.padEnd(second)}  ${said}`).join('\n')
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** Of two parts at most: +80 ms, +1.5 s, +2 h, +3.2 d. */
function after(ms: number): string {
  const [unit, size] = units.find(([, least]) => ms >= least) ?? ['ms', 1]
  return `+${Math.round((ms / size) * 10) / 10} ${unit}`
}

function sentence(event: HistoryEvent): string {
  const problem = String(event.code).startsWith('HTTP_') ? `${event.detail}` : `${event.code}: ${event.detail}`
  switch (event.event) {
    case 'attempt_started':
      return event.lookup ? `attempt ${event.attempt}: a lookup` : `attempt ${event.attempt}`
    case 'attempt_failed':
      return `no result: ${problem}`
    case 'attempt_postponed':
      return `not sent: ${event.detail}`
    case 'attempts_summarized':
      return `${event.attempts} attempts, the last one: ${problem}`
    case 'step_done':
    case 'undo_done':
      return 'done'
    case 'step_failed':
      return `failed: ${problem}`
    case 'wait_started':
      return `waits${event.until ? ` until ${event.until}` : ''}${event.child ? ` for the child saga ${event.child}` : ''}`
    case 'branch_taken':
      return Number(event.branch) < 0 ? 'no condition holds' : `takes branch ${event.branch}`
    case 'turned_back':
      // Of a step that has just failed it is said already.
      return event.step === undefined ? `all is undone: ${problem}` : 'all before it is undone'
    case 'undo_stuck':
      return `stuck: ${problem}`
    case 'halted':
      return `needs attention: ${problem}`
    case 'operator_acted':
      return `${event.action}, ordered by ${event.who}${noteOf(event)}`
    case 'operator_refused':
      return `${event.action}, ordered by ${event.who}, was refused: ${event.reason}${noteOf(event)}`
    default:
      return event.event
  }
}

const noteOf = ({ note }: HistoryEvent): string => (typeof note === 'string' ? ` (${note})` : '')
