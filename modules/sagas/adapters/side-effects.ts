import type { PostgresTx } from '@splitstream/kernel'
import type { Transition } from '../app/transition.ts'
import { type FreeLock, releaseHoldings } from './locks.ts'
import { type Letter, sendMail } from './mail.ts'

/** True when a transition writes more than the saga's own row. Most do not. */
export function hasSideEffects({ outbox, mailTaken, end }: Transition): boolean {
  return outbox.length > 0 || mailTaken.length > 0 || (end !== undefined && (end.holdings || end.parent !== undefined))
}

/** What others are told of once the transaction is committed. */
export interface SideEffects {
  /** Sagas that were sent messages and have an owner. */
  readonly told: readonly string[]
  /** Locks that were let go. */
  readonly free: readonly FreeLock[]
  /** To be sent then, to sagas that may wait for the transaction. */
  readonly late: readonly Letter[]
}

export const noSideEffects: SideEffects = { told: [], free: [], late: [] }

/** What transitions write besides the sagas' own rows; in the same transaction, and only for those that were kept. */
export async function writeSideEffects(tx: PostgresTx, kept: readonly Transition[]): Promise<SideEffects> {
  const outbox = kept.flatMap(({ tenant, traceparent, outbox }) =>
    outbox.map((event) => ({ tenant, traceparent, event })),
  )
  if (outbox.length > 0) {
    const sql =
      'INSERT INTO outbox (tenant, traceparent, event) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])'
    await tx.query(sql, [
      outbox.map(({ tenant }) => tenant),
      outbox.map(({ traceparent }) => traceparent ?? null),
      outbox.map(({ event }) => event),
    ])
  }
  const taken = kept.flatMap(({ mailTaken }) => mailTaken)
  if (taken.length > 0) await tx.query('DELETE FROM mail WHERE id = ANY($1::bigint[])', [taken])
  const letters: Letter[] = kept.flatMap(({ tenant, end }) =>
    end?.parent ? [{ tenant, to: end.parent.id, body: JSON.stringify(end.parent.message) }] : [],
  )
  const done = kept.filter(({ end }) => end?.holdings).map(({ id }) => id)
  const released = done.length > 0 ? await releaseHoldings(tx, done) : undefined
  letters.push(...(released?.letters ?? []))
  const told = letters.length > 0 ? await sendMail(tx, letters) : []
  return { told, free: released?.free ?? [], late: released?.late ?? [] }
}
