import type { Metrics } from '@splitstream/kernel'
import type { Outcome } from '../../app/participants.ts'

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const outcomes = ['1xx', '2xx', '3xx', '4xx', '5xx', 'unusable', 'postponed', 'refused', 'unknown'] as const

/** Records how calls end, and after how long. Labels are made once: they are found by their identity. */
export function callMetrics(metrics: Metrics): (undo: boolean, outcome: Outcome, ms: number) => void {
  const seconds = metrics.histogram('splitstream.saga.call', 'Time of a call to a participant', buckets, [
    'direction',
    'outcome',
  ])
  const labelsOf = (direction: string) =>
    Object.fromEntries(outcomes.map((outcome) => [outcome, { direction, outcome }]))
  const [forward, undone] = [labelsOf('forward'), labelsOf('undo')]
  return (undo, outcome, ms) => seconds.observe(ms / 1_000, (undo ? undone : forward)[labelOf(outcome)])
}

function labelOf(outcome: Outcome): (typeof outcomes)[number] {
  if (outcome.kind !== 'answered') return outcome.kind
  return outcome.unusable === undefined ? outcomes[Math.min(5, Math.floor(outcome.status / 100)) - 1]! : 'unusable'
}
