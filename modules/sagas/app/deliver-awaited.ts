import type { Postgres } from '@splitstream/kernel'
import { sendMail, tellOwners } from '../adapters/mail.ts'
import { type Candidate, keepEarly, takeWaits, type Wait } from '../adapters/waits.ts'
import type { AwaitedFields } from './interests.ts'
import { eventKey, waitKey } from './wait-key.ts'
import type { WantedEvent } from './wanted-event.ts'
import type { SagaWorker } from './worker.ts'

export interface AwaitedDeps {
  readonly postgres: Postgres
  readonly worker: SagaWorker
  persist<T>(work: () => Promise<T>): Promise<T>
  /** Events were kept for steps that may wait for them later, and so many steps got one. */
  onAwaited(kept: number, delivered: number): void
}

/**
 * Gives events to the steps that wait for them, and keeps them for those that will. A step looks among the kept ones after it
 * has said that it waits, and here they are kept before it is looked who waits: so one of the two sees the other, and if both
 * do, the step takes the event once.
 */
export async function deliverAwaited(events: readonly WantedEvent[], deps: AwaitedDeps): Promise<void> {
  const { postgres, worker, persist } = deps
  const candidates = events.flatMap((event) => event.interest.awaits.flatMap((fields) => candidateOf(event, fields)))
  if (candidates.length === 0) return
  await persist(() => keepEarly(postgres, candidates))
  const { sent, owned } = await persist(() =>
    postgres.tx(async (tx) => {
      const letters = lettersOf(candidates, await takeWaits(tx, candidates))
      return { sent: letters.length, owned: letters.length > 0 ? await sendMail(tx, letters) : [] }
    }),
  )
  deps.onAwaited(candidates.length, sent)
  worker.readMail(owned)
  tellOwners(postgres, owned).catch(() => undefined)
  // Sagas that nobody owned are due now.
  if (owned.length < sent) worker.look()
}

/** None when a field is not there: then it cannot be equal. */
function candidateOf(event: WantedEvent, fields: AwaitedFields): Candidate[] {
  const { tenant, source, id, name, receivedAt, text } = event
  const json = event.json()
  const match = fields.flatMap(({ field, read }) => {
    const value = read(json)
    return value === undefined ? [] : [[field, value] as const]
  })
  if (match.length < fields.length) return []
  const key = waitKey(String(json.type), match)
  return [{ tenant, key, eventKey: eventKey(source, id), name, receivedAt, event: text }]
}

/** To each step the first event that counts for it. */
function lettersOf(candidates: readonly Candidate[], waits: readonly Wait[]) {
  const byKey = Map.groupBy(candidates, keyOf)
  return waits.flatMap((wait) => {
    const candidate = byKey.get(keyOf(wait))?.find(({ name }) => name !== wait.not)
    if (!candidate) return []
    const body = `{"kind":"event","step":${JSON.stringify(wait.step)},"event":${candidate.event}}`
    return [{ tenant: wait.tenant, to: wait.sagaId, body }]
  })
}

const keyOf = ({ tenant, key }: { readonly tenant: string; readonly key: Uint8Array }): string =>
  `${Buffer.from(key).toString('latin1')}${tenant}`
