import { type Placed, relate } from './check-flow.ts'
import type { Path, Problems } from './check-problems.ts'

/** Does `compensate.after` name steps whose undo comes earlier by itself, or may? Undo goes in the reverse order of starting. */
export function checkUndoOrder(placed: readonly Placed[], problems: Problems): void {
  const byId = new Map(placed.map((one) => [one.step.id, one]))
  for (const one of placed) {
    afterOf(one).forEach((id, i) => {
      const why = whyNot(one, id, byId.get(id))
      if (why !== undefined) problems.add([...pathOf(one), i], why)
    })
  }
  const cycle = findCycle(placed, byId)
  if (cycle)
    problems.add(pathOf(cycle[0]!), `these undos wait for each other: ${cycle.map(({ step }) => step.id).join(' → ')}`)
}

const pathOf = ({ path }: Placed): Path => [...path, 'compensate', 'after']

function afterOf({ step }: Placed): readonly string[] {
  return ('call' in step && step.compensate?.after) || []
}

function whyNot(one: Placed, id: string, other: Placed | undefined): string | undefined {
  if (other === undefined) return `there is no step ${id}`
  if (!isCompensated(other)) return `step ${id} has no compensation, so there is nothing to wait for`
  switch (relate(other, one)) {
    case 'same':
      return 'an undo cannot wait for itself'
    case 'before':
      return `step ${id} starts before this one, so its undo begins after this one; name steps that start later`
    case 'apart':
      return `step ${id} is in another branch of a choice: both never run`
    default:
      return undefined
  }
}

function isCompensated({ step }: Placed): boolean {
  return 'call' in step ? step.compensate !== undefined : 'child' in step && step.compensate !== false
}

/** A way from a step back to itself, by depth-first search; the first step stands at both ends. */
function findCycle(placed: readonly Placed[], byId: ReadonlyMap<string, Placed>): Placed[] | undefined {
  const done = new Set<Placed>()
  const way: Placed[] = []
  const visit = (one: Placed): Placed[] | undefined => {
    const at = way.indexOf(one)
    if (at >= 0) return [...way.slice(at), one]
    if (done.has(one)) return undefined
    way.push(one)
    for (const id of afterOf(one)) {
      const next = byId.get(id)
      const cycle = next && next !== one ? visit(next) : undefined
      if (cycle) return cycle
    }
    way.pop()
    done.add(one)
    return undefined
  }
  for (const one of placed) {
    const cycle = visit(one)
    if (cycle) return cycle
  }
  return undefined
}
