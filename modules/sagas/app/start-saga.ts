import { isDeepStrictEqual } from 'node:util'
import { AppError, type Call, remaining } from '@splitstream/kernel'
import { decodeEntries } from '../domain/entry.ts'
import type { Json } from '../domain/json.ts'
import type { Plan } from '../domain/plan.ts'
import { foldEntries } from '../domain/state.ts'
import type { SagaDeps } from './deps.ts'
import { startKey } from './start-key.ts'
import { endedSummary, freshSummary, outputOf, type SagaSummary, summaryOf } from './views.ts'

export interface StartInput {
  readonly name: string
  readonly input: Json
  /** How long to wait for the end, ms; 0 for not at all. */
  readonly waitMs: number
}

export interface Started {
  readonly saga: SagaSummary
  /** Of a saga that is completed. */
  readonly output: Json
  /** The key made this saga before. */
  readonly replayed: boolean
}

/**
 * Starts a saga, once for each Idempotency-Key (after the IETF draft of that name). Resolves when the saga is durable, or, with
 * `waitMs`, when it has ended or the time is over.
 * @throws AppError NOT_FOUND (no such definition), IDEMPOTENCY_KEY_MISSING, IDEMPOTENCY_KEY_BUSY (a request with this key is
 * being answered), IDEMPOTENCY_KEY_REUSED (with another input), UNAVAILABLE (it can be sent again)
 */
export async function startSaga(deps: SagaDeps, request: StartInput, call: Call): Promise<Started> {
  const { name } = request
  const plan = await deps.plans.newest(call.tenant, name)
  const { idempotencyKey } = call
  if (idempotencyKey === undefined) {
    if (plan.definition.idempotencyKey === 'optional') return await start(deps, request, plan, undefined, call)
    throw new AppError('IDEMPOTENCY_KEY_MISSING', `Starting the saga ${name} needs the header Idempotency-Key`)
  }
  const busy = `${call.tenant}\0${name}\0${idempotencyKey}`
  if (deps.answering.has(busy)) {
    const detail = 'A request with this Idempotency-Key is being answered'
    throw new AppError('IDEMPOTENCY_KEY_BUSY', detail, { retryAfterMs: 1_000 })
  }
  deps.answering.add(busy)
  try {
    return await start(deps, request, plan, startKey('request', call.tenant, name, idempotencyKey), call)
  } finally {
    deps.answering.delete(busy)
  }
}

async function start(
  deps: SagaDeps,
  { input, waitMs }: StartInput,
  plan: Plan,
  key: Uint8Array | undefined,
  call: Call,
): Promise<Started> {
  const { worker, ends, clock } = deps
  const { tenant } = call
  const id = worker.chance.id()
  const until = clock.monotonic() + Math.min(waitMs, remaining(call, clock) - answerMs)
  const end = ends.listen(tenant, id)
  try {
    const from = call.traceparent === undefined ? undefined : { trace: call.traceparent }
    const begun = await worker.begin({ id, tenant, plan, input, key, from })
    if (begun.kind === 'lost') throw new AppError('UNAVAILABLE', 'The saga could not be started; send it again')
    if (begun.kind === 'exists') return await replay(deps, begun.id, input, until, call)
    const left = until - clock.monotonic()
    if (left <= 0) return { saga: freshSummary(id, plan), output: null, replayed: false }
    const ended = await end.ended(left, call)
    // Not yet, or in another process.
    if (!ended) return { ...(await look(deps, tenant, id)), replayed: false }
    return { saga: endedSummary(id, plan, ended), output: ended.output, replayed: false }
  } finally {
    end.cancel()
  }
}

/** What is kept of the time budget for the answer itself, ms. */
const answerMs = 250

async function replay(deps: SagaDeps, id: string, input: Json, until: number, call: Call): Promise<Started> {
  const { rows, ends, clock } = deps
  const { tenant } = call
  const end = ends.listen(tenant, id)
  try {
    const row = await rows.get(tenant, id)
    if (!row) throw new AppError('CONFLICT', 'The saga that this Idempotency-Key has made is not kept any more')
    if (!isDeepStrictEqual(foldEntries(decodeEntries(row.journal)).input, input)) {
      const detail = 'This Idempotency-Key was used with another input'
      throw new AppError('IDEMPOTENCY_KEY_REUSED', detail, { details: { saga: id } })
    }
    const left = until - clock.monotonic()
    if (isOpen(row) && left > 0) await end.ended(left, call)
    return { ...(await look(deps, tenant, id)), replayed: true }
  } finally {
    end.cancel()
  }
}

async function look({ rows, plans }: SagaDeps, tenant: string, id: string): Promise<Omit<Started, 'replayed'>> {
  const row = await rows.get(tenant, id)
  if (!row) throw new AppError('NOT_FOUND', 'There is no such saga')
  const saga = summaryOf(row)
  if (saga.status !== 'completed') return { saga, output: null }
  return { saga, output: outputOf(await plans.of(tenant, row.name, row.version), row.journal) }
}

const isOpen = ({ status }: Pick<SagaSummary, 'status'>): boolean => status === 'running' || status === 'compensating'
