import { randomBytes } from 'node:crypto'
import type { IngestAppend } from '@splitstream/ingest/contract'
import type { Breakers, Clock, Logger, LogReader, Metrics, Module, Postgres, Random, Tracer } from '@splitstream/kernel'
import { definitionOperations } from './adapters/definition-operations.ts'
import { definitionRoutes } from './adapters/definition-routes.ts'
import { Definitions } from './adapters/definitions.ts'
import { orderOperations } from './adapters/order-operations.ts'
import { orderRoutes } from './adapters/order-routes.ts'
import { createParticipants } from './adapters/participants/participants.ts'
import { ensurePartitions } from './adapters/partitions.ts'
import { RefusedEvents } from './adapters/refused-events.ts'
import { refusedOperations } from './adapters/refused-operations.ts'
import { refusedRoutes } from './adapters/refused-routes.ts'
import { watchSagas } from './adapters/saga-metrics.ts'
import { sagaOperations } from './adapters/saga-operations.ts'
import { sagaRoutes } from './adapters/saga-routes.ts'
import { SagaRows } from './adapters/saga-rows.ts'
import { signingOperations } from './adapters/signing-operations.ts'
import { signingRoutes } from './adapters/signing-routes.ts'
import { SigningSecrets } from './adapters/signing-secrets.ts'
import type { SagaDeps } from './app/deps.ts'
import { Ends, hasStopped } from './app/ends.ts'
import { EventConsumer } from './app/event-consumer.ts'
import { HouseKeeper } from './app/keep-house.ts'
import { type LockHint, noLockHint } from './app/lock-hint.ts'
import { Plans } from './app/plans.ts'
import { OutboxRelay } from './app/relay-outbox.ts'
import { problemOf } from './app/to-transition.ts'
import { SagaWorker } from './app/worker.ts'
import { resultOf } from './domain/scope.ts'
import type { SagaStatus } from './domain/state.ts'

export type { LockHint } from './app/lock-hint.ts'

export const operations = {
  ...sagaOperations,
  ...orderOperations,
  ...definitionOperations,
  ...refusedOperations,
  ...signingOperations,
}

export interface SagasDeps {
  readonly log: LogReader
  readonly postgres: Postgres
  /** The same database, with statements planned once and by key: for those that run hundreds of times a second. */
  readonly commits: Postgres
  readonly ingest: IngestAppend
  /** Redis in front of locks; they work without. */
  readonly hint: LockHint | undefined
  readonly breakers: Breakers
  /** What requests to participants are signed with, of a tenant that has never changed it. The same array each time. */
  readonly signingSecret: (tenant: string) => Uint8Array
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tracer: Tracer
  /** This process, for operators. */
  readonly name: string
  readonly limits: {
    /** Sagas in memory at once. */
    readonly capacity: number
    /** For how long sagas that have ended are kept, ms. */
    readonly retainMs: number
    /** For how long the events are known that started sagas, ms: one that is sent again starts none. */
    readonly retainKeysMs: number
    readonly maxAnswerBytes: number
    /** Participants that may be reached though their address is private or their URL is http. */
    readonly allowPrivate: readonly string[]
    /** Ports of all other participants; any when not given. */
    readonly ports?: readonly number[] | undefined
  }
  /** Of Splitstream. */
  readonly version: string
}

/** Made once: labels are found by their identity. */
const labelOf: Readonly<Record<SagaStatus, { readonly status: SagaStatus }>> = {
  running: { status: 'running' },
  compensating: { status: 'compensating' },
  completed: { status: 'completed' },
  compensated: { status: 'compensated' },
  needs_attention: { status: 'needs_attention' },
}

/** The sagas module: definitions, and the worker that runs what they say. It owns the schema `sagas`. */
export function createSagasModule(deps: SagasDeps): Module<object> {
  const { clock, metrics, postgres } = deps
  const ended = metrics.counter('splitstream.sagas.ended', 'Sagas by how they ended', ['status'])
  const started = metrics.counter('splitstream.sagas.started', 'Sagas started')
  const definitions = new Definitions(postgres)
  const plans = new Plans(definitions, () => clock.monotonic())
  const rows = new SagaRows(postgres)
  const ends = new Ends({ clock, runsHere: (id) => worker.runs(id), standings: (sagas) => rows.standings(sagas) })
  const { capacity, retainMs, retainKeysMs, maxAnswerBytes, allowPrivate, ports } = deps.limits
  const relay = new OutboxRelay(deps)
  const secrets = new SigningSecrets({ ...deps, first: deps.signingSecret, fresh: () => randomBytes(32) })
  const participants = createParticipants({
    ...deps,
    secrets: (tenant) => secrets.of(tenant),
    egress: { allow: allowPrivate, ports },
    limits: { maxAnswerBytes },
  })
  const worker = new SagaWorker({
    ...deps,
    participants,
    hint: deps.hint ?? noLockHint,
    plans,
    capacity,
    onTurn: ({ id, state, plan }, { entries, acts, t }) => {
      if (acts.some(({ kind }) => kind === 'emit')) relay.wake()
      if (entries[0]?.e === 'start') started.add(1)
      ends.tellTurn(id)
      if (!hasStopped(entries, state)) return
      const { status } = state
      ended.add(1, labelOf[status])
      const output = () => (status === 'completed' ? resultOf(plan, state) : null)
      ends.tell(id, () => ({ status, problem: problemOf(state, t), output: output(), at: state.at + t }))
    },
  })
  const consumer = new EventConsumer({ ...deps, worker, plans })
  const house = new HouseKeeper({ ...deps, retainMs, retainKeysMs })
  metrics.gauge('splitstream.sagas.held', 'Sagas in memory', () => worker.held)
  watchSagas(deps)
  const saga: SagaDeps = {
    worker,
    plans,
    definitions,
    rows,
    postgres,
    ends,
    clock,
    logger: deps.logger,
    answering: new Set(),
  }
  return {
    ports: {},
    routes: [
      ...sagaRoutes(saga),
      ...orderRoutes(saga),
      ...definitionRoutes(saga),
      ...refusedRoutes({ ...deps, refused: new RefusedEvents(postgres) }),
      ...signingRoutes(secrets, deps.logger),
    ],
    start: async () => {
      await ensurePartitions(postgres, clock.now())
      await secrets.start()
      await worker.start()
      await consumer.start()
      relay.start()
      house.start()
    },
    stop: async () => {
      await house.stop()
      // Before the worker, which starts what they ask for.
      await consumer.stop()
      await worker.stop()
      await relay.stop()
      await participants.close()
      await secrets.stop()
    },
    health: () => {
      const reason = worker.failing ?? consumer.failing ?? relay.failing
      return reason === undefined ? { state: 'ok' } : { state: 'degraded', reason: `sagas wait: ${reason}` }
    },
  }
}
