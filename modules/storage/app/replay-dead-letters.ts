import type { IngestAppend, Receipt } from '@splitstream/ingest/contract'
import { AppError, type Call } from '@splitstream/kernel'
import { type DeadLetters, damagedCode, pieceBytes } from '../adapters/dead-letters.ts'
import { piecesOf } from '../domain/pieces.ts'
import { joinReceipts, placedBehind } from './join-receipts.ts'

export interface ReplayInput {
  readonly ids: readonly string[]
  /** Say what would happen and do nothing. */
  readonly dryRun: boolean
  /** A mended event in place of the stored one; only with a single id. */
  readonly event?: unknown
  /** Asked by the operator, who alone may replay what is damaged. */
  readonly operator: boolean
}

export interface ReplayOutcome {
  readonly dryRun: boolean
  /** Dead letters found; an id that is not the tenant's is simply not found. */
  readonly found: number
  readonly replayable: number
  readonly receipt?: Receipt
}

const newline = Buffer.from('\n')

/**
 * Sends dead letters through ingest again. Idempotent: the event keeps its id, so that a letter that is replayed twice,
 * or whose event was stored by another way, is stored once. Many go in pieces, one after the other: more than the log takes at
 * once would be refused for ever.
 * @throws AppError what ingest says to a piece: those before it are replayed
 */
export async function replayDeadLetters(
  deps: { readonly letters: DeadLetters; readonly ingest: IngestAppend },
  input: ReplayInput,
  call: Call,
): Promise<ReplayOutcome> {
  if (input.event !== undefined && input.ids.length !== 1) {
    throw new AppError('REQUEST_INVALID', 'A mended event needs exactly one id')
  }
  const reader = { tenant: call.tenant, operator: input.operator }
  const found = await deps.letters.find(reader, input.ids)
  const replayable = found.filter((letter) => letter.code !== damagedCode || input.event !== undefined)
  const outcome = { dryRun: input.dryRun, found: found.length, replayable: replayable.length }
  if (input.dryRun || replayable.length === 0) return outcome

  const append = (lines: readonly Uint8Array[]): Promise<Receipt> => {
    const body = Buffer.concat(lines.flatMap((line) => [line, newline]))
    return deps.ingest.append({ body, mediaType: 'application/x-ndjson', mode: 'strict' }, call)
  }
  if (input.event !== undefined) {
    const receipt = await append([Buffer.from(JSON.stringify(input.event))])
    await deps.letters.markReplayed(reader, input.ids)
    return { ...outcome, receipt }
  }
  const receipts: Receipt[] = []
  let sent = 0
  for (const piece of piecesOf(replayable, pieceBytes)) {
    const ids = piece.map(({ id }) => id)
    const events = await deps.letters.events(reader, ids)
    receipts.push(await placedBehind(sent, () => append(events)))
    await deps.letters.markReplayed(reader, ids)
    sent += events.length
  }
  return { ...outcome, receipt: joinReceipts(receipts) }
}
