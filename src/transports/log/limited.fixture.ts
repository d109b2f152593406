/**
 * A log in a process of its own, so that the system's limits of a process apply to it: appends one record after another of 64 KiB
 * until `records` are acknowledged, or the log is lost. Prints a line of JSON for each new outcome, and at the end.
 */
import { codeOf, silentLogger, systemCall, systemClock } from '@splitstream/kernel'
import { openLocalLog } from './local-log.ts'

const [dir = '', records = ''] = process.argv.slice(2)
const log = await openLocalLog({ dir, partitions: 1, clock: systemClock, logger: silentLogger, minFreeBytes: 0 })
const never = new AbortController().signal
let lost: string | undefined
void log.lost.then((reason) => {
  lost = reason
})
/** What was acknowledged, by place. */
const places: Record<number, number> = {}
const outcomes: string[] = []
let n = 0
let unknown = 0
while (n < Number(records) && lost === undefined) {
  const bytes = Buffer.alloc(64 << 10, `${n} `)
  try {
    const [range] = await log.append([{ partition: 0, count: 1, bytes }], systemCall(systemClock, 60_000, never))
    places[range!.first] = n
    n++
    note('ok')
  } catch (error) {
    if (codeOf(error) === 'UNKNOWN_OUTCOME') unknown++
    note(codeOf(error))
    await systemClock.sleep(20)
  }
}
await log.stop()
console.log(JSON.stringify({ outcomes, acknowledged: n, unknown, lost, places }))

function note(outcome: string): void {
  if (outcomes.at(-1) !== outcome) outcomes.push(outcome)
}
