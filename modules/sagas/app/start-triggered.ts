import { AppError, codeOf, type Logger } from '@splitstream/kernel'
import type { PublishedTrigger } from '../adapters/interests.ts'
import { aliasOf } from '../domain/alias.ts'
import { triggeredBy } from '../domain/trigger.ts'
import type { SagaRequest } from './new-saga.ts'
import type { Plans } from './plans.ts'
import { startKey } from './start-key.ts'
import type { WantedEvent } from './wanted-event.ts'
import type { SagaWorker } from './worker.ts'

/** What became of an event that triggers. `failed`: its saga is there, and shows why it cannot go on. */
export type TriggerOutcome = 'started' | 'repeated' | 'failed'

export interface TriggerDeps {
  readonly worker: SagaWorker
  readonly plans: Plans
  readonly logger: Logger
  persist<T>(work: () => Promise<T>): Promise<T>
  onTrigger(outcome: TriggerOutcome): void
}

/** W3C trace context, as the distributed tracing extension of CloudEvents carries it. */
const traceparent = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/
/** A start that Postgres refuses so often is not a matter of the moment. */
const refusals = 3

/**
 * Starts the sagas that these events trigger, one for each event and definition, however often the event comes. Resolves when
 * they are durable. One whose input cannot be told is started too, and needs attention at once: so it is seen.
 */
export async function startTriggered(events: readonly WantedEvent[], deps: TriggerDeps): Promise<void> {
  const starts = new Map<string, SagaRequest>()
  for (const event of events) {
    for (const trigger of event.interest.triggers) {
      // It came before there was a definition that it could start.
      if (event.receivedAt < trigger.since) continue
      const request = await requestOf(event, trigger, deps)
      if (!request) continue
      const key = Buffer.from(request.key).toString('latin1')
      if (!starts.has(key)) starts.set(key, request)
    }
  }
  await Promise.all([...starts.values()].map((request) => start(request, deps)))
}

async function requestOf(event: WantedEvent, { name, version }: PublishedTrigger, deps: TriggerDeps) {
  const { tenant, source, id } = event
  const plan = await deps.persist(() => deps.plans.of(tenant, name, version))
  const triggered = plan.trigger && triggeredBy(plan.trigger, event.json())
  if (!triggered) return undefined
  // The trace of the append if it had one, or the one that the event brings along.
  const trace = event.traceparent ?? event.json().traceparent
  const from = {
    ...{ event: event.name, received: event.receivedAt, alias: aliasOf({ tenant, saga: name, source, id }) },
    ...(typeof trace === 'string' && traceparent.test(trace) && { trace }),
  }
  const key = startKey('event', tenant, name, source, id)
  const input = 'input' in triggered ? triggered.input : null
  return { tenant, plan, key, from, input, halt: 'problem' in triggered ? triggered.problem : undefined }
}

async function start(request: SagaRequest, deps: TriggerDeps): Promise<void> {
  let wish = request
  let refused = 0
  const { kind } = await deps.persist(async () => {
    try {
      const begun = await deps.worker.begin(wish)
      if (begun.kind !== 'lost') return begun
      throw new AppError('UNAVAILABLE', 'The worker lost its lease while it started a saga')
    } catch (error) {
      if (codeOf(error) === 'INTERNAL' && ++refused === refusals) {
        const detail = 'the saga cannot be kept with its input'
        wish = { ...request, input: null, halt: { code: 'NOT_STARTED', detail } }
      }
      throw error
    }
  })
  const outcome = kind === 'exists' ? 'repeated' : wish.halt ? 'failed' : 'started'
  deps.onTrigger(outcome)
  if (outcome !== 'failed') return
  const { tenant, plan, halt } = wish
  deps.logger.warn('an event started a saga that cannot go on', { tenant, saga: plan.name, code: halt?.code })
}
