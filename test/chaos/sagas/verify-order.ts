import type { Findings } from '../findings.ts'
import type { Audit } from './ledger/messages.ts'
import { undoneBy } from './ledger/operations.ts'
import { kinds } from './orders.ts'
import type { SagaRow } from './saga-rows.ts'

/** Operations of each definition in the order in which its steps begin. */
const started: Readonly<Record<string, readonly string[]>> = { ...kinds, parcel: ['reserve', 'label'] }

/**
 * Undos are tried for the first time in the reverse order of the starts. Only sagas that kept their owner are looked at:
 * what a dead worker had on its way is sent again beside the next one.
 */
export function checkUndoOrder({ arrivals }: Audit, byId: ReadonlyMap<string, SagaRow>, findings: Findings): void {
  for (const [saga, all] of Map.groupBy(arrivals, (arrival) => arrival.saga)) {
    const name = byId.get(saga)?.name
    if (name === undefined || new Set(all.map(({ fence }) => fence)).size > 1) continue
    const undone = new Set(all.flatMap(({ operation }) => undoneBy.get(operation) ?? []))
    const expected = started[name]!.filter((operation) => (undone as ReadonlySet<string>).has(operation)).toReversed()
    const order = [...undone].join()
    if (order !== expected.join()) findings.add('undone in another order', `${name} ${saga}: ${order}`)
  }
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
