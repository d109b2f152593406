import { isDeepStrictEqual } from 'node:util'
import { AppError, type Call, remaining } from '@splitstream/kernel'
import { readMail } from '../adapters/mail.ts'
import type { Order } from '../domain/act.ts'
import { type Action, decodeEntries, type Entry } from '../domain/entry.ts'
import type { Json } from '../domain/json.ts'
import type { SagaDeps } from './deps.ts'
import type { Message } from './message.ts'
import { findSaga } from './show-saga.ts'
import { startKey } from './start-key.ts'

export interface OrderInput {
  readonly action: Action
  readonly step?: string | undefined
  readonly output?: Json | undefined
  readonly note?: string | undefined
}

export interface Ordered {
  /** Names the order in the saga's history. */
  readonly order: string
  /** False when no worker has taken it in yet; one will. */
  readonly obeyed: boolean
}

/** How long the answer waits for the saga to take the order in, ms. */
const patienceMs = 5_000
/** What is kept of the time budget for the answer itself, ms. */
const answerMs = 250

/**
 * Tells a saga what an operator wants. The saga decides, and notes the order in its history either way, with who gave it; one
 * that has ended is asked no more, and has no entry of it: the log has. An order with an Idempotency-Key is given once: sent again, it is answered with what became of it.
 * @throws AppError NOT_FOUND; CONFLICT when the saga refuses, with the reason; IDEMPOTENCY_KEY_REUSED and _BUSY;
 * UNAVAILABLE
 */
export async function orderSaga(deps: SagaDeps, named: string, input: OrderInput, call: Call): Promise<Ordered> {
  const { tenant } = call
  const { id, status, journal } = await findSaga(deps, tenant, named)
  const order: Order = { id: orderId(deps, id, call), who: call.principal, ...input }
  const noted = notedIn(journal, order.id)
  if (noted) return outcomeOf(noted, order)
  if (status === 'completed' || status === 'compensated') {
    const asked = { saga: id, tenant, action: input.action, order: order.id, by: call.principal }
    deps.logger.info('an order was refused: the saga has ended', { ...asked, status })
    throw refusal(order.id, `the saga is ${status}`)
  }
  if (call.idempotencyKey === undefined) return await give(deps, tenant, id, order, call)
  // Of two at the same moment one is told to come again.
  if (deps.answering.has(order.id)) throw busy()
  deps.answering.add(order.id)
  try {
    return await give(deps, tenant, id, order, call)
  } finally {
    deps.answering.delete(order.id)
  }
}

async function send({ worker }: SagaDeps, tenant: string, to: string, order: Order): Promise<void> {
  await worker.holdings.deliver([{ tenant, to, message: { kind: 'order', order } }])
}

/** Gives the order, unless it is given already, and waits for what becomes of it. */
async function give(deps: SagaDeps, tenant: string, id: string, order: Order, call: Call): Promise<Ordered> {
  const { clock, rows, ends } = deps
  const until = clock.monotonic() + Math.min(patienceMs, remaining(call, clock) - answerMs)
  const news = ends.listen(tenant, id)
  try {
    const isRepeated = call.idempotencyKey !== undefined
    if (!(isRepeated && (await isSent(deps, tenant, id, order)))) await send(deps, tenant, id, order)
    for (;;) {
      const row = await rows.get(tenant, id)
      const noted = notedIn(row?.journal ?? '', order.id)
      if (noted) return outcomeOf(noted, order)
      const left = until - clock.monotonic()
      if (!row || left <= 0 || call.signal.aborted) return { order: order.id, obeyed: false }
      await news.moved(row.seq, left, call)
    }
  } finally {
    news.cancel()
  }
}

type Noted = Extract<Entry, { e: 'by' }>

function notedIn(journal: string, order: string): Noted | undefined {
  if (!journal.includes(order)) return undefined
  return decodeEntries(journal).find((entry): entry is Noted => entry.e === 'by' && entry.m === order)
}

function outcomeOf({ a, s, o, note, no }: Noted, order: Order): Ordered {
  checkSame(order, { action: a, step: s, output: o, note })
  if (no !== undefined) throw refusal(order.id, no)
  return { order: order.id, obeyed: true }
}

/** In the mail, not taken in yet. */
async function isSent({ postgres }: SagaDeps, tenant: string, id: string, order: Order): Promise<boolean> {
  const [box] = await readMail(postgres, [{ tenant, id }])
  for (const { body } of box?.letters ?? []) {
    const message = JSON.parse(body) as Message
    if (message.kind !== 'order' || message.order.id !== order.id) continue
    checkSame(order, message.order)
    return true
  }
  return false
}

function checkSame(order: Order, earlier: OrderInput): void {
  const told = ({ action, step, output, note }: OrderInput) => [action, step, output, note]
  if (isDeepStrictEqual(told(order), told(earlier))) return
  throw new AppError('IDEMPOTENCY_KEY_REUSED', 'This Idempotency-Key was used with another order')
}

function busy(): AppError {
  const detail = 'A request with this Idempotency-Key is being answered'
  return new AppError('IDEMPOTENCY_KEY_BUSY', detail, { retryAfterMs: 1_000 })
}

function refusal(order: string, why: string): AppError {
  return new AppError('CONFLICT', `Not done: ${why}`, { details: { order } })
}

/** A new one, or the one that the Idempotency-Key stands for; a UUID either way. */
function orderId({ worker }: SagaDeps, saga: string, { tenant, idempotencyKey }: Call): string {
  if (idempotencyKey === undefined) return worker.chance.id()
  const hex = Buffer.from(startKey('order', tenant, saga, idempotencyKey)).toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
