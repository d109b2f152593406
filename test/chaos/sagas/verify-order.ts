import { decodeEntries } from '../../../modules/sagas/domain/entry.ts'
import type { Findings } from '../findings.ts'
import type { Audit } from './ledger/messages.ts'
import { undoneBy } from './ledger/operations.ts'
import { kinds } from './orders.ts'
import type { SagaRow } from './saga-rows.ts'

/** Operations of each definition in the order in which its steps begin. */
const started: Readonly<Record<string, readonly string[]>> = { ...kinds, parcel: ['reserve', 'label'] }

/** For so long the undo that began last keeps the next one from beginning, ms. */
const headStartMs = 250

/**
 * Undos arrive for the first time in the reverse order of the starts. One that has not arrived when its head start is over, or that came back
 * without having arrived, is overtaken, and is meant to be: one that is stuck must not hold up the others. The journal says whether that was so. Only
 * sagas that kept their owner are looked at: what a dead worker had on its way is sent again beside the next one.
 */
export function checkUndoOrder(
  { arrivals }: Pick<Audit, 'arrivals'>,
  byId: ReadonlyMap<string, Pick<SagaRow, 'name' | 'journal'>>,
  findings: Findings,
): void {
  for (const [saga, all] of Map.groupBy(arrivals, (arrival) => arrival.saga)) {
    const row = byId.get(saga)
    if (row === undefined || new Set(all.map(({ fence }) => fence)).size > 1) continue
    const begun: readonly string[] = started[row.name]!
    const undone = [...new Map(all.filter(({ undo }) => undo).map(({ step, operation }) => [step, operation]))].map(
      ([step, operation]) => ({ step, operation, place: begun.indexOf(undoneBy.get(operation)!) }),
    )
    const wrong = undone.some((one, i) =>
      undone.slice(i + 1).some((late) => late.place > one.place && !gaveWay(row.journal, late.step, one.step)),
    )
    if (!wrong) continue
    const order = undone.map(({ operation }) => operation).join()
    findings.add('undone in another order', `${row.name} ${saga}: ${order}\n${row.journal}`)
  }
}

/** Whether the undo of `late` began before that of `step`, and had its head start or came back in between. */
function gaveWay(journal: string, late: string, step: string): boolean {
  const entries = decodeEntries(journal)
  const began = (one: string): number => entries.findIndex((entry) => entry.e === 'undo' && entry.s === one)
  const [from, to] = [began(late), began(step)]
  if (from < 0 || from > to) return false
  if (entries[to]!.t - entries[from]!.t >= headStartMs) return true
  return entries.slice(from, to).some((entry) => entry.e === 'undo-retry' && entry.s === late)
}

/** Fencing tokens of the effects of one saga never decrease. */
export function checkFences({ effects }: Audit, findings: Findings): void {
  for (const [saga, mine] of Map.groupBy(effects, (effect) => effect.saga)) {
    const fences = mine.map(({ fence }) => fence)
    if (fences.some((fence, i) => fence < (fences[i - 1] ?? 0)))
      findings.add('a stale write', `${saga}: ${fences.join()}`)
  }
}

/**
 * All that a saga has done under its lock is one section: nothing of another saga that locks the same item lies in between, and
 * each section has a greater token than the one before. A write by itself would not show it: a lock that two sagas have lets
 * both in, one after the other, and only what follows crosses.
 */
export function checkLocks({ effects }: Pick<Audit, 'effects'>, findings: Findings): void {
  const locked = effects.filter(({ lock }) => lock !== undefined)
  for (const [item, mine] of Map.groupBy(locked, (effect) => effect.item)) {
    const sections = mine.filter(({ saga, lock }, i) => saga !== mine[i - 1]?.saga || lock !== mine[i - 1]?.lock)
    const say = (): string => {
      const told = sections.map(({ saga, lock }) => `${lock} (${saga.slice(-4)})`)
      return `${item}: ${told.slice(0, 40).join(', ')}`
    }
    if (new Set(sections.map(({ saga }) => saga)).size < sections.length) {
      findings.add('locked sections overlapped', say())
    } else if (sections.some(({ lock }, i) => lock! <= (sections[i - 1]?.lock ?? 0))) {
      findings.add('a lock was given under an old number', say())
    }
  }
}
