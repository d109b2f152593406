import type { IngestAppend, Receipt } from '@splitstream/ingest/contract'
import { AppError, type Call, type Logger } from '@splitstream/kernel'
import type { RefusedEvent, RefusedEvents, Settled } from '../adapters/refused-events.ts'
import type { Json } from '../domain/json.ts'

export interface RefusedDeps {
  readonly refused: RefusedEvents
  readonly ingest: IngestAppend
  readonly logger: Logger
}

export interface ReplayInput {
  /** A mended event in place of the one that was refused. */
  readonly event?: Json | undefined
  readonly note?: string | undefined
}

/**
 * Sends an event that was refused to ingest again. It keeps its id, so that one that is sent twice is stored once.
 * @throws AppError NOT_FOUND; CONFLICT when something was done about it before; REQUEST_INVALID for a mended event with another
 * id; and what ingest says, such as EVENT_TOO_LARGE: then nothing has changed
 */
export async function replayRefused(
  deps: RefusedDeps,
  id: string,
  { event, note }: ReplayInput,
  call: Call,
): Promise<{ readonly refused: RefusedEvent; readonly receipt: Receipt }> {
  const found = await findOpen(deps, id, call)
  if (event !== undefined) checkId(found, event)
  const text = event === undefined ? found.event : JSON.stringify(event)
  const input = { body: Buffer.from(`[${text}]`), mediaType: 'application/cloudevents-batch+json' }
  const receipt = await deps.ingest.append({ ...input, mode: 'strict' }, call)
  return { refused: await settle(deps, id, 'sent', note, call), receipt }
}

/** Gives an event up for good that was refused; it stays in the list of those that are settled. @throws as replayRefused */
export async function discardRefused(
  deps: RefusedDeps,
  id: string,
  note: string | undefined,
  call: Call,
): Promise<RefusedEvent> {
  await findOpen(deps, id, call)
  return await settle(deps, id, 'discarded', note, call)
}

/** @throws AppError NOT_FOUND */
export async function findRefused({ refused }: RefusedDeps, id: string, { tenant }: Call): Promise<RefusedEvent> {
  const found = /^\d{1,18}$/.test(id) ? await refused.get(tenant, id) : undefined
  if (!found) throw new AppError('NOT_FOUND', 'There is no such refused event')
  return found
}

async function findOpen(deps: RefusedDeps, id: string, call: Call): Promise<RefusedEvent> {
  const found = await findRefused(deps, id, call)
  if (found.settled) throw new AppError('CONFLICT', `The event is ${found.settled} already, by ${found.settledBy}`)
  return found
}

async function settle(
  { refused, logger }: RefusedDeps,
  id: string,
  as: Settled,
  note: string | undefined,
  { tenant, principal }: Call,
): Promise<RefusedEvent> {
  const settled = await refused.settle(tenant, id, { as, by: principal, note })
  if (!settled) throw new AppError('CONFLICT', 'Somebody else has dealt with the event meanwhile')
  logger.info('an event that ingest had refused is dealt with', { outbox: id, tenant, as, by: principal })
  return settled
}

function checkId({ event }: RefusedEvent, mended: Json): void {
  const idOf = (one: Json): Json | undefined =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? (one as { readonly [name: string]: Json }).id
      : undefined
  const id = idOf(JSON.parse(event) as Json)
  if (idOf(mended) !== id) throw new AppError('REQUEST_INVALID', `The mended event keeps its id, ${String(id)}`)
}
