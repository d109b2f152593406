import fc from 'fast-check'

/** What a run of a random saga is made of. All that happens follows from it. */
export interface Case {
  readonly definition: object
  readonly child: object
  readonly keyWindow: string
  readonly replaysErrors: boolean
  readonly refuses: ReadonlySet<string>
  /** Which branch choices take. */
  readonly which: number
  /** Of what happens on the way. */
  readonly seed: number
  readonly crashes: boolean
  readonly operators: boolean
}

interface CallShape {
  readonly kind: 'call'
  /** Business refuses it. */
  readonly refuse: boolean
  readonly undo: boolean
  /** Its undo waits for that of a later step. */
  readonly after: boolean
}

type Shape =
  | CallShape
  | { readonly kind: 'wait' }
  | { readonly kind: 'child' }
  | { readonly kind: 'parallel' | 'choice'; readonly branches: readonly (readonly Shape[])[] }

/** A step of a definition, as JSON. */
interface Written {
  readonly id: string
  readonly compensate?: { after?: string[]; readonly path: string }
  readonly [member: string]: unknown
}

const callShape = fc.record({
  kind: fc.constant('call' as const),
  refuse: fc.nat(9).map((n) => n === 0),
  undo: fc.nat(9).map((n) => n > 0),
  after: fc.nat(4).map((n) => n === 0),
})
const leaf: fc.Arbitrary<Shape> = fc.oneof(
  { weight: 8, arbitrary: callShape },
  { weight: 1, arbitrary: fc.constant<Shape>({ kind: 'wait' }) },
)
const { block } = fc.letrec<{ block: readonly Shape[]; one: Shape }>((tie) => ({
  block: fc.array(tie('one'), { minLength: 1, maxLength: 3 }),
  one: fc.oneof(
    { depthSize: 'small', maxDepth: 2 },
    { weight: 5, arbitrary: leaf },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('parallel' as const),
        branches: fc.array(tie('block'), { minLength: 2, maxLength: 3 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('choice' as const),
        branches: fc.array(tie('block'), { minLength: 1, maxLength: 2 }),
      }),
    },
  ),
}))

const participant = fc.record({
  keyWindow: fc.constantFrom('5s', '1m', '5m', '24h'),
  lookup: fc.boolean(),
  replaysErrors: fc.boolean(),
})

export const randomCase: fc.Arbitrary<Case> = fc
  .record({
    before: block,
    pivot: fc.option(
      fc.record({ refuse: fc.nat(4).map((n) => n === 0), after: fc.array(callShape, { maxLength: 2 }) }),
    ),
    child: fc.option(fc.array(callShape, { minLength: 1, maxLength: 2 })),
    participant,
    attempts: fc.integer({ min: 1, max: 6 }),
    deadline: fc.constantFrom(undefined, '20s', '10m'),
    which: fc.nat(2),
    seed: fc.nat(),
    crashes: fc.boolean(),
    operators: fc.boolean(),
  })
  .map(({ before, pivot, child, participant: settings, attempts, deadline, ...more }) => {
    const writer = new Writer('s', attempts)
    const within = new Writer('i', attempts)
    const { keyWindow, replaysErrors, lookup } = settings
    const p = {
      url: 'http://p.test',
      keyWindow,
      replaysErrors,
      ...(lookup && { lookup: { path: '/requests/${key}' } }),
    }
    const steps = writer.block([...before, ...(child ? [{ kind: 'child' as const }] : [])])
    if (pivot) {
      const without = { kind: 'call', undo: false, after: false } as const
      steps.push(writer.call({ ...without, refuse: pivot.refuse }, { pivot: true }))
      steps.push(...writer.block(pivot.after.map(({ refuse }) => ({ ...without, refuse }))))
    }
    const definition = { participants: { p }, steps, ...(deadline && { deadline }) }
    const inner = { participants: { p }, steps: within.block(child ?? [{ kind: 'wait' }]) }
    return {
      definition,
      child: inner,
      keyWindow,
      replaysErrors,
      refuses: new Set([...writer.refuses, ...within.refuses]),
      ...more,
    }
  })

/** Writes shapes as a definition: gives ids, and has requests speak of what is there. */
class Writer {
  readonly refuses = new Set<string>()
  readonly #prefix: string
  readonly #attempts: number
  #ids = 0
  /** The latest step before this one whose output is there for sure. */
  #readable: string | undefined

  constructor(prefix: string, attempts: number) {
    this.#prefix = prefix
    this.#attempts = attempts
  }

  block(shapes: readonly Shape[]): Written[] {
    const before = this.#readable
    const steps = shapes.map((shape) => this.#step(shape))
    for (const [i, shape] of shapes.entries()) {
      const later = steps.slice(i + 1).find(({ compensate }) => compensate)
      const { compensate } = steps[i]!
      if (compensate && later && shape.kind === 'call' && shape.after) compensate.after = [later.id]
    }
    this.#readable = before
    return steps
  }

  call({ refuse, undo }: CallShape, more: object = {}): Written {
    const id = this.#id()
    if (refuse) this.refuses.add(id)
    const all = '${steps}'
    const body = { saga: '${saga.id}', all, ...(this.#readable && { of: `\${steps.${this.#readable}.n}` }) }
    const retry = { attempts: this.#attempts, initial: '1s', max: '30s', within: '10m' }
    const undone = { all, of: `\${has(steps.${id}) ? steps.${id}.n : 0}` }
    const compensate = { participant: 'p', path: `/${id}/undo`, body: undone, retry: { ...retry, attempts: 8 } }
    this.#readable = id
    return { id, call: { participant: 'p', path: `/${id}`, body }, retry, ...(undo && { compensate }), ...more }
  }

  #id(): string {
    return `${this.#prefix}${++this.#ids}`
  }

  #step(shape: Shape): Written {
    if (shape.kind === 'call') return this.call(shape)
    const id = this.#id()
    if (shape.kind === 'wait') return { id, wait: { for: '1m' } }
    if (shape.kind === 'child') return { id, child: { saga: 'inner' } }
    const blocks = shape.branches.map((branch) => this.block(branch))
    if (shape.kind === 'parallel') return { id, parallel: blocks }
    const choice = blocks.map((steps, i) => ({ when: `input.which == ${i}`, steps }))
    return { id, choice, otherwise: [{ id: `${id}o`, wait: { for: '1s' } }] }
  }
}
