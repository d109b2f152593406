import type { Path } from './check-problems.ts'
import type { SagaDefinition, Step } from './definition.ts'

/** A step and where it is: in the document, and in the flow. */
export interface Placed {
  readonly step: Step
  readonly path: Path
  /** From the outermost block inwards: which branch of what, and the position in it. */
  readonly trail: readonly Position[]
}

interface Position {
  /** What the block is a branch of. */
  readonly of: 'saga' | 'parallel' | 'choice'
  readonly branch: number
  readonly index: number
}

/**
 * How one step stands to another in time. `before`, `after`: one surely ends before the other begins, if both run. `beside`:
 * in another branch of the same parallel. `apart`: in another branch of the same choice, so that only one of them runs.
 * `around`, `within`: the one holds the other.
 */
export type Relation = 'same' | 'before' | 'after' | 'beside' | 'apart' | 'around' | 'within'

/** All steps, outer before inner, in the order in which they are written. */
export function placeSteps(definition: SagaDefinition): Placed[] {
  return placeBlock(definition.steps, ['steps'], [], 'saga', 0)
}

function placeBlock(
  block: readonly Step[],
  path: Path,
  outer: readonly Position[],
  of: Position['of'],
  branch: number,
): Placed[] {
  return block.flatMap((step, index) => {
    const placed = { step, path: [...path, index], trail: [...outer, { of, branch, index }] }
    return [placed, ...placeInner(placed)]
  })
}

function placeInner({ step, path, trail }: Placed): Placed[] {
  if ('parallel' in step) {
    return step.parallel.flatMap((block, i) => placeBlock(block, [...path, 'parallel', i], trail, 'parallel', i))
  }
  if (!('choice' in step)) return []
  const branches = step.choice.flatMap(({ steps }, i) =>
    placeBlock(steps, [...path, 'choice', i, 'steps'], trail, 'choice', i),
  )
  return [...branches, ...placeBlock(step.otherwise ?? [], [...path, 'otherwise'], trail, 'choice', -1)]
}

/** How `one` stands to `other`. */
export function relate(one: Placed, other: Placed): Relation {
  for (const [depth, here] of one.trail.entries()) {
    const there = other.trail[depth]
    if (there === undefined) return 'within'
    if (here.branch !== there.branch) return here.of === 'parallel' ? 'beside' : 'apart'
    if (here.index !== there.index) return here.index < there.index ? 'before' : 'after'
  }
  return one.trail.length === other.trail.length ? 'same' : 'around'
}

/** Whether `one` runs whenever `other` does (or, without one, in every run): it is in no choice that the other is not in. */
export function surelyRuns(one: Placed, other?: Placed): boolean {
  let shared = 0
  while (samePlace(one.trail[shared], other?.trail[shared])) shared++
  if (one.trail[shared]?.branch === other?.trail[shared]?.branch) shared++
  return one.trail.slice(shared).every(({ of }) => of !== 'choice')
}

function samePlace(one: Position | undefined, other: Position | undefined): boolean {
  return one !== undefined && one.branch === other?.branch && one.index === other.index
}
