import type { IngestAppend, Receipt } from '@splitstream/ingest/contract'
import { AppError, type Call } from '@splitstream/kernel'
import type { DeadLetters } from '../adapters/dead-letters.ts'

export interface ReplayInput {
  readonly ids: readonly string[]
  /** Say what would happen and do nothing. */
  readonly dryRun: boolean
  /** A mended event in place of the stored one; only with a single id. */
  readonly event?: unknown
}

export interface ReplayOutcome {
  readonly dryRun: boolean
  /** Dead letters found; an id that is not the tenant's is simply not found. */
  readonly found: number
  readonly replayable: number
  readonly receipt?: Receipt
}

/**
 * Sends dead letters through ingest again. Idempotent: the event keeps its id, so that a letter that is replayed twice,
 * or whose event was stored by another way, is stored once.
 */
export async function replayDeadLetters(
  deps: { readonly letters: DeadLetters; readonly ingest: IngestAppend },
  input: ReplayInput,
  call: Call,
): Promise<ReplayOutcome> {
  if (input.event !== undefined && input.ids.length !== 1) {
    throw new AppError('REQUEST_INVALID', 'A mended event needs exactly one id')
  }
  const found = await deps.letters.find(call.tenant, input.ids)
  const replayable = found.filter((letter) => letter.code !== 'LOG_CORRUPT' || input.event !== undefined)
  const outcome = { dryRun: input.dryRun, found: found.length, replayable: replayable.length }
  if (input.dryRun || replayable.length === 0) return outcome

  const lines =
    input.event === undefined ? replayable.map((letter) => letter.event) : [Buffer.from(JSON.stringify(input.event))]
  const body = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]))
  const receipt = await deps.ingest.append({ body, mediaType: 'application/x-ndjson', mode: 'strict' }, call)
  await deps.letters.markReplayed(
    call.tenant,
    replayable.map((letter) => letter.id),
  )
  return { ...outcome, receipt }
}
