import type { Placed } from './check-flow.ts'
import type { Path } from './check-problems.ts'
import type { ParticipantRequest, SagaDefinition, Step } from './definition.ts'
import type { Json } from './json.ts'

/** A value of a definition whose strings may hold expressions. */
export interface Use {
  readonly path: Path
  readonly value: Json
  readonly form: 'template' | 'expression'
  /** What its expressions see. */
  readonly names: readonly string[]
  /** When it is evaluated: before its step is done, or when that is undone. */
  readonly when: 'forward' | 'undo'
  /** The step that it belongs to. Absent for the saga's output: then all steps are done. */
  readonly reader: Placed | undefined
}

const base = ['input', 'steps', 'saga']

/** All of them. */
export function usesOf(definition: SagaDefinition, placed: readonly Placed[]): Use[] {
  const top = { form: 'template', names: base, when: 'forward', reader: undefined } as const
  return [
    ...participantUses(definition),
    ...present(['trigger', 'when'], definition.trigger?.when, { ...top, form: 'expression', names: ['event'] }),
    ...present(['trigger', 'input'], definition.trigger?.input, { ...top, names: ['event'] }),
    ...placed.flatMap((one) => stepUses(one)),
    ...present(['output'], definition.output, top),
  ]
}

type Manner = Omit<Use, 'path' | 'value'>

function present(path: Path, value: Json | undefined, manner: Manner): Use[] {
  return value === undefined ? [] : [{ path, value, ...manner }]
}

/** Shared by steps at any place, so they see no outputs. */
function participantUses({ participants = {} }: SagaDefinition): Use[] {
  return Object.entries(participants).flatMap(([name, { headers, lookup }]) => {
    const path = ['participants', name]
    const manner = { form: 'template', names: ['input', 'saga'], when: 'forward', reader: undefined } as const
    return [
      ...present([...path, 'headers'], headers, manner),
      ...present([...path, 'lookup', 'path'], lookup?.path, { ...manner, names: ['input', 'saga', 'key'] }),
    ]
  })
}

function stepUses(reader: Placed): Use[] {
  const { step, path } = reader
  const manner: Manner = { form: 'template', names: base, when: 'forward', reader }
  const at = (...parts: PropertyKey[]) => [...path, ...parts]
  const uses = ownUses(step, at, manner)
  if ('output' in step)
    uses.push(...present(at('output'), step.output, { ...manner, names: [...base, ...given(step)] }))
  return uses
}

/** What the output of a step sees besides. */
function given(step: Step): string[] {
  return 'waitFor' in step ? ['event'] : ['response']
}

function ownUses(step: Step, at: (...parts: PropertyKey[]) => Path, manner: Manner): Use[] {
  if ('call' in step) {
    return [
      ...requestUses(at('call'), step.call, manner),
      ...(step.compensate ? requestUses(at('compensate'), step.compensate, { ...manner, when: 'undo' }) : []),
    ]
  }
  if ('emit' in step) return present(at('emit'), withoutUndefined(step.emit), manner)
  if ('wait' in step) return 'until' in step.wait ? present(at('wait', 'until'), step.wait.until, manner) : []
  if ('waitFor' in step) return present(at('waitFor', 'match'), step.waitFor.match, manner)
  if ('child' in step) return present(at('child', 'input'), step.child.input, manner)
  if ('lock' in step) return present(at('lock', 'key'), step.lock.key, manner)
  if ('choice' in step) {
    return step.choice.flatMap(({ when }, i) =>
      present(at('choice', i, 'when'), when, { ...manner, form: 'expression' }),
    )
  }
  return []
}

function requestUses(path: Path, { path: to, headers, body }: ParticipantRequest, manner: Manner): Use[] {
  return [
    ...present([...path, 'path'], to, manner),
    ...present([...path, 'headers'], headers, manner),
    ...present([...path, 'body'], body, manner),
  ]
}

function withoutUndefined(members: Readonly<Record<string, Json | undefined>>): Json {
  return Object.fromEntries(Object.entries(members).filter(([, member]) => member !== undefined)) as Json
}
