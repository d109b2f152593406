import type { Findings } from './findings.ts'
import type { Latencies } from './latencies.ts'
import { isRightlyRefused, type Load } from './load.ts'

/** Times the answers of a load; each that is not as it is without any fault is a finding. */
export function expectFaultless(load: Load, latencies: Latencies, findings: Findings): void {
  load.onAnswer = (answer, batch) => {
    latencies.add(answer.ms, answer.status === 202 ? batch.events.length : 0)
    if (answer.status !== 202 && !isRightlyRefused(answer, batch))
      findings.add('an append was answered otherwise', `${answer.status} ${answer.text.slice(0, 200)}`)
  }
}

/** After the load: requests that got no answer are findings, too. */
export function findUnanswered(load: Load, findings: Findings): void {
  for (const kind of ['unknown', 'unsent', 'timeout']) {
    const times = load.statuses.get(kind)
    if (times !== undefined) findings.add('an append got no answer', `${kind}: ${times} times`)
  }
}
