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

/** What was written under a lock: tokens never decrease, so no two sections overlap. */
export function checkLocks({ effects }: Audit, findings: Findings): void {
  const locked = effects.filter(({ lock }) => lock !== undefined)
  for (const [item, mine] of Map.groupBy(locked, (effect) => effect.item)) {
    const tokens = mine.map(({ lock }) => lock!)
    if (tokens.some((token, i) => token < (tokens[i - 1] ?? 0))) {
      findings.add('locked sections overlapped', `${item}: ${tokens.join()}`)
    }
  }
}
