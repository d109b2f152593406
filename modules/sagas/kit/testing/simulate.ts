import { parseDefinition } from '../../domain/check-definition.ts'
import { allSteps, type SagaDefinition } from '../../domain/definition.ts'
import { durationMs } from '../../domain/duration.ts'
import type { Json } from '../../domain/json.ts'
import type { TestEvent } from './events.ts'
import type { Participant } from './request.ts'
import { Simulation } from './simulation.ts'
import { World } from './world.ts'

export interface SimulationOptions {
  /** Of the saga; null when not given. */
  readonly input?: Json
  /** The event that starts the saga by its trigger, which makes the input of it. */
  readonly event?: TestEvent
  /** By their names in the definition, and in those of the children. */
  readonly participants?: Readonly<Record<string, Participant>>
  /** Events that are stored so long after the start. */
  readonly events?: readonly { readonly after: string; readonly event: TestEvent }[]
  /** Definitions of the sagas that `child` steps start, by name. */
  readonly children?: Readonly<Record<string, unknown>>
  /** Keys of locks that somebody else holds (until `release`). */
  readonly locked?: readonly string[]
  /** For jitter; 1 when not given. The same seed gives the same run. */
  readonly seed?: number
  /** Virtual time of the start, RFC 3339; 2026-01-01T00:00:00Z when not given. */
  readonly startAt?: string
  /** Of the saga, when its definition uses it; `saga` when not given. */
  readonly name?: string
}

/**
 * Starts a saga on a virtual clock: the definition is checked as when it is published, and run by the engine's own state
 * machine. No timer, network or database is involved, so a saga of 30 days takes milliseconds.
 * @throws AppError UNPROCESSABLE when the definition is not valid; Error when a participant or child is missing, or the event
 * does not start the saga
 */
export function simulate(definition: unknown, options: SimulationOptions = {}): Simulation {
  const { name = 'saga', participants = {}, children = {}, startAt = '2026-01-01T00:00:00Z' } = options
  const definitions = Object.fromEntries(
    Object.entries({ ...children, [name]: definition }).map(([saga, body]) => [saga, parseDefinition(saga, body)]),
  )
  for (const [saga, parsed] of Object.entries(definitions)) checkGiven(saga, parsed, definitions, participants)
  const { locked = [], seed = 1, input = null, events = [] } = options
  const now = Date.parse(startAt)
  if (Number.isNaN(now)) throw new RangeError(`startAt: ${startAt} is no RFC 3339 instant`)
  const world = new World({ definitions, participants, locked, seed, now })
  for (const { after, event } of events) world.agenda.plan(now + durationMs(after), () => world.publish(event))
  const { event } = options
  return new Simulation(world, event ? world.trigger(name, event) : world.start(name, world.chance.id(), input))
}

function checkGiven(
  saga: string,
  definition: SagaDefinition,
  definitions: Readonly<Record<string, SagaDefinition>>,
  participants: Readonly<Record<string, Participant>>,
): void {
  for (const name of Object.keys(definition.participants ?? {})) {
    if (!Object.hasOwn(participants, name))
      throw new Error(`participants.${name} is missing: saga ${saga} calls it. Give a function that answers`)
  }
  for (const step of allSteps(definition.steps)) {
    if ('child' in step && !Object.hasOwn(definitions, step.child.saga))
      throw new Error(`children.${step.child.saga} is missing: step ${step.id} of saga ${saga} starts it`)
  }
}
