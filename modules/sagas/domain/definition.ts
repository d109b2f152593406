import { z } from 'zod'
import { duration } from './duration.ts'

/**
 * A saga definition as users publish it: the same JSON from a file, from the typed builder, and as it is kept with every
 * version. This schema says what shape it has (and is published as JSON Schema); check-definition.ts says what makes sense.
 *
 * A string may hold expressions, `${ … }` in the Common Expression Language (https://cel.dev). They see `input` (of the
 * saga), `steps.<id>` (output of a step that is done), `saga` (id, name, startedAt) and, in the output of a step, what came
 * back: `response` (status, headers, body) of a call, `response` (body) of a child, `event` of a waitFor. Participants see
 * `input` and `saga`, their lookup `key` as well; a trigger sees `event`. A string that is nothing but one expression becomes
 * its value; any other becomes text.
 */

/** Ids are names in expressions (`steps.charge`), so they are CEL identifiers; unique in the whole definition. */
const id = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/, 'a letter is expected, then letters, digits and underscores; 64 at most')
  .describe('A letter, then letters, digits and underscores; 64 at most')
const text = z.string().max(8_192)
/** Events with control characters in their type are refused, so nothing would ever come. */
const eventType = z
  .string()
  .min(1)
  .max(1_024)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  .regex(/^[^\u0000-\u001f\u007f]*$/, 'no event has a control character in its type')
/** Any JSON value whose strings may hold expressions. */
const template = z.json()

const retry = z
  .strictObject({
    attempts: z.int().min(1).max(1_000).optional().describe('Calls at most, the first one among them'),
    initial: duration.optional().describe('Wait before the second attempt'),
    factor: z.number().min(1).max(10).optional(),
    max: duration.optional().describe('Longest wait between two attempts'),
    jitter: z.number().min(0).max(1).optional().describe('Part of each wait that is random'),
    within: duration.optional().describe('Budget of all attempts together'),
  })
  .describe('Exponential backoff with jitter; what is not given has a default')

const participant = z.strictObject({
  url: text.describe('Where it is: scheme, host, port and a path that request paths follow'),
  headers: z.record(z.string().max(128), text).optional().describe('Sent with each request'),
  timeout: duration.optional().describe('For one request; 10s when not given'),
  slowAfter: duration
    .optional()
    .describe(
      'A longer call counts against it: too many, and it is not called for a while. Half of a given timeout, 1s at least',
    ),
  keyWindow: duration
    .optional()
    .describe('For how long it remembers an Idempotency-Key; 24h when not given. Older keys are never sent again'),
  replaysErrors: z
    .boolean()
    .optional()
    .describe('It answers a key again with the 5xx that it answered first, so the same key is of no more use'),
  lookup: z
    .strictObject({ path: text.describe('May use `key`, the Idempotency-Key of the request in question') })
    .optional()
    .describe('GET: what became of a request? 2xx with its answer, 404 when it never took effect'),
  maxConcurrent: z.int().min(1).max(1_000).optional().describe('Requests at once; 64 when not given'),
})

const request = z.strictObject({
  participant: id.describe('One of `participants`'),
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).optional().describe('POST when not given'),
  path: text,
  headers: z.record(z.string().max(128), text).optional(),
  body: template.optional(),
})

const compensation = request.extend({
  retry: retry.optional(),
  timeout: duration.optional(),
  after: z
    .array(id)
    .max(64)
    .optional()
    .describe('Steps whose undo must be done before this one begins; else a stuck undo blocks no other'),
})

const common = {
  id,
  output: template
    .optional()
    .describe('What `steps.<id>` becomes; the body of the answer, or the event, when not given'),
}

const callStep = z.strictObject({
  ...common,
  call: request,
  retry: retry.optional(),
  timeout: duration.optional().describe('For one attempt; the participant’s when not given'),
  compensate: compensation.optional().describe('How to undo it. Owed from the moment in which the call may have left'),
  pivot: z.boolean().optional().describe('Once done there is no way back: what follows is tried until it succeeds'),
})

const emitStep = z.strictObject({
  id,
  emit: z.strictObject({
    type: text,
    source: text.optional().describe('/sagas/<name> when not given'),
    subject: text.optional(),
    data: template.optional(),
  }),
})

const waitStep = z.strictObject({
  id,
  wait: z.union([
    z.strictObject({ for: duration }),
    z.strictObject({ until: text.describe('An RFC 3339 instant, or an expression that gives one') }),
  ]),
})

const waitForStep = z.strictObject({
  ...common,
  waitFor: z.strictObject({
    type: eventType.describe('Type of the event, as it is'),
    match: z
      .record(z.string().max(1_000), template)
      .refine((match) => Object.keys(match).length > 0, 'at least one correlation is needed')
      .describe('Field of the event (source, subject, id, ext.name or data.path) → value that it must equal'),
    timeout: duration,
    onTimeout: z.enum(['fail', 'continue']).optional().describe('fail when not given'),
  }),
})

const childStep = z.strictObject({
  ...common,
  child: z.strictObject({ saga: z.string().min(1).max(128), input: template.optional() }),
  compensate: z.boolean().optional().describe('Whether the child is undone when this saga is; true when not given'),
})

const lockStep = z.strictObject({
  id,
  lock: z.strictObject({
    key: text.describe('What is locked, within the tenant; held until the saga ends'),
    timeout: duration.optional().describe('How long to wait for it; 1m when not given'),
  }),
})

/** Steps nest, so the types of the two kinds that hold others are written out. */
export interface ParallelStep {
  id: string
  parallel: Step[][]
}
export interface ChoiceStep {
  id: string
  choice: { when: string; steps: Step[] }[]
  otherwise?: Step[] | undefined
}
export type CallStep = z.infer<typeof callStep>
export type EmitStep = z.infer<typeof emitStep>
export type WaitStep = z.infer<typeof waitStep>
export type WaitForStep = z.infer<typeof waitForStep>
export type ChildStep = z.infer<typeof childStep>
export type LockStep = z.infer<typeof lockStep>
export type Step = CallStep | EmitStep | WaitStep | WaitForStep | ChildStep | LockStep | ParallelStep | ChoiceStep

const parallelOf = <B extends z.ZodType>(block: B) =>
  z.strictObject({ id, parallel: z.array(block).min(1).max(64).describe('Blocks that run at the same time') })

const choiceOf = <B extends z.ZodType>(block: B) =>
  z.strictObject({
    id,
    choice: z
      .array(z.strictObject({ when: text.describe('An expression that gives a boolean'), steps: block }))
      .min(1)
      .max(64)
      .describe('The first branch whose condition is true runs'),
    otherwise: block.optional().describe('Runs when no condition is true'),
  })

const step: z.ZodType<Step> = z
  .union([
    callStep,
    emitStep,
    waitStep,
    waitForStep,
    childStep,
    lockStep,
    parallelOf(z.lazy(() => steps)),
    choiceOf(z.lazy(() => steps)),
  ])
  .meta({ id: 'step' })
const steps = z.array(step).max(200)

const trigger = z
  .strictObject({
    type: eventType.describe('Type of the events that start the saga'),
    when: text.optional().describe('An expression over `event` that gives a boolean'),
    input: template.optional().describe('The saga’s input, from `event`; the event’s data when not given'),
  })
  .describe('Each stored event of this type starts exactly one saga')

const definitionOf = <B extends z.ZodType>(block: B) =>
  z.strictObject({
    description: z.string().max(2_000).optional(),
    participants: z.record(id, participant).optional(),
    trigger: trigger.optional(),
    idempotencyKey: z
      .enum(['required', 'optional'])
      .optional()
      .describe('At POST /v1/sagas/{name}; required when not given'),
    deadline: duration.optional().describe('From the start; a saga that is not past its pivot is undone then'),
    steps: block,
    output: template.optional().describe('Result of the saga; the outputs of its steps when not given'),
  })

export const sagaDefinition = definitionOf(steps.min(1))

/**
 * The same, level by level: a definition and each kind of step without the steps in them. A union of eight kinds says of a
 * wrong step only that it is none of them; check-shape.ts picks the kind first.
 */
const unread = z.array(z.unknown())
export const levels = {
  definition: definitionOf(unread),
  call: callStep,
  emit: emitStep,
  wait: waitStep,
  waitFor: waitForStep,
  child: childStep,
  lock: lockStep,
  parallel: parallelOf(unread),
  choice: choiceOf(unread),
} as const satisfies Record<StepKind | 'definition', z.ZodType>

export type SagaDefinition = z.infer<typeof sagaDefinition>
export type Participant = z.infer<typeof participant>
export type ParticipantRequest = z.infer<typeof request>
export type Compensation = z.infer<typeof compensation>
export type RetryPolicy = z.infer<typeof retry>
export type Trigger = z.infer<typeof trigger>

/** The kind of a step is the one member that only it has. */
export const stepKinds = ['call', 'emit', 'wait', 'waitFor', 'child', 'lock', 'parallel', 'choice'] as const
export type StepKind = (typeof stepKinds)[number]

export function kindOf(step: Step): StepKind {
  const kind = stepKinds.find((name) => name in step)
  if (kind === undefined) throw new RangeError(`step ${step.id} is of no known kind`)
  return kind
}

/** The blocks that a step holds; none for most. */
export function blocksOf(step: Step): readonly (readonly Step[])[] {
  if ('parallel' in step) return step.parallel
  if ('choice' in step)
    return [...step.choice.map((branch) => branch.steps), ...(step.otherwise ? [step.otherwise] : [])]
  return []
}

/** All steps of a definition, outer before inner, in the order in which they are written. */
export function* allSteps(block: readonly Step[]): Generator<Step> {
  for (const one of block) {
    yield one
    for (const inner of blocksOf(one)) yield* allSteps(inner)
  }
}
