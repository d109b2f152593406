import type { Postgres } from '@splitstream/kernel'
import { type Letter, sendMail, tellOwners } from '../adapters/mail.ts'
import {
  type Candidate,
  keepEarly,
  readWaits,
  takeWaits,
  type Wait,
  type WaitList,
  waitLists,
} from '../adapters/waits.ts'
import type { AwaitedFields } from './interests.ts'
import { type SliceLimits, slicesOf } from './slices.ts'
import { eventKey, waitKey } from './wait-key.ts'
import type { WantedEvent } from './wanted-event.ts'
import type { SagaWorker } from './worker.ts'

/** One transaction keeps or sends so much at most: it holds the rows of its sagas, and is one message to Postgres. */
const sliceLimits: SliceLimits = { count: 500, size: 8 << 20 }

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
 *
 * However many wait, they are gone through once, in transactions of a limited size: steps that wait again meanwhile find what is
 * kept. After a crash between two of them the events are read again; who has got one by then is not on the list any more.
 */
export async function deliverAwaited(
  events: readonly WantedEvent[],
  deps: AwaitedDeps,
  limits: SliceLimits = sliceLimits,
): Promise<void> {
  const { postgres, persist } = deps
  const candidates = events.flatMap((event) => event.interest.awaits.flatMap((fields) => candidateOf(event, fields)))
  if (candidates.length === 0) return
  for (const some of slicesOf(candidates, ({ event }) => event.length, limits)) {
    await persist(() => keepEarly(postgres, some))
    deps.onAwaited(some.length, 0)
  }
  const byKey = Map.groupBy(candidates, nameOf)
  const keys = [...byKey.values()].map(([first]) => first!)
  let lists = await persist(() => waitLists(postgres, keys))
  while (lists.length > 0) {
    const waits = await persist(() => readWaits(postgres, lists, limits.count))
    const deliveries = waits.flatMap((wait) => deliveryOf(wait, byKey.get(nameOf(wait))))
    for (const some of slicesOf(deliveries, ({ event }) => event.length, limits)) await deliver(some, deps)
    lists = waits.length < limits.count ? [] : restOf(lists, waits.at(-1)!)
  }
}

/** A step, and what it gets. */
interface Delivery extends Wait {
  /** ms since the epoch. */
  readonly receivedAt: number
  /** CloudEvents JSON. */
  readonly event: string
}

async function deliver(deliveries: readonly Delivery[], deps: AwaitedDeps): Promise<void> {
  const { postgres, worker, persist } = deps
  const { sent, owned } = await persist(() =>
    postgres.tx(async (tx) => {
      const letters = (await takeWaits(tx, deliveries)).map(letterOf)
      return { sent: letters.length, owned: letters.length > 0 ? await sendMail(tx, letters) : [] }
    }),
  )
  deps.onAwaited(0, sent)
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

/** The first event that counts for the step. */
function deliveryOf(wait: Wait, candidates: readonly Candidate[] = []): Delivery[] {
  const candidate = candidates.find(({ name }) => name !== wait.not)
  return candidate ? [{ ...wait, event: candidate.event, receivedAt: candidate.receivedAt }] : []
}

function letterOf({ tenant, sagaId, step, receivedAt, event }: Delivery): Letter {
  const body = `{"kind":"event","step":${JSON.stringify(step)},"received":${receivedAt},"event":${event}}`
  return { tenant, to: sagaId, body }
}

/** What follows in the lists after a step on one of them. */
function restOf(lists: readonly WaitList[], after: Wait): WaitList[] {
  const at = lists.findIndex((list) => nameOf(list) === nameOf(after))
  return lists.slice(at).map((list, i) => (i === 0 ? { ...list, after } : list))
}

const nameOf = ({ tenant, key }: { readonly tenant: string; readonly key: Uint8Array }): string =>
  `${Buffer.from(key).toString('latin1')}${tenant}`
