import type { Path, Problems } from './check-problems.ts'

const maxBytes = 256 * 1024
const maxDepth = 64
const maxSteps = 200
const maxNesting = 8

/**
 * The first look at a body that may be anything: is it JSON, and of a size that the checks after this one can bear? False
 * ends the matter. One pass that stops at the first limit, so that 10,000 steps cost no more than 200.
 */
export function checkSize(body: unknown, problems: Problems): boolean {
  const seen = { bytes: 0 }
  return checkJson(body, [], seen, problems) && checkSteps(body, problems)
}

function checkJson(value: unknown, path: Path, seen: { bytes: number }, problems: Problems): boolean {
  const refuse = (detail: string) => {
    problems.add(path, detail)
    return false
  }
  if (path.length > maxDepth) return refuse(`nested too deeply: ${maxDepth} levels at most`)
  seen.bytes += typeof value === 'string' ? Buffer.byteLength(value) + 2 : 4
  if (seen.bytes > maxBytes) {
    problems.add([], 'larger than 256 KiB')
    return false
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value) || refuse('a number that JSON has is expected')
  if (Array.isArray(value)) return value.every((item, i) => checkJson(item, [...path, i], seen, problems))
  const prototype: unknown = typeof value === 'object' ? Object.getPrototypeOf(value) : undefined
  if (prototype !== Object.prototype && prototype !== null) return refuse('this is no JSON value')
  for (const [name, member] of Object.entries(value as object)) {
    if (name === '__proto__') {
      problems.add([...path, name], 'a member cannot have this name')
      return false
    }
    seen.bytes += Buffer.byteLength(name) + 4
    // What is undefined is not there.
    if (member !== undefined && !checkJson(member, [...path, name], seen, problems)) return false
  }
  return true
}

/** Counts before anything is validated. */
function checkSteps(body: unknown, problems: Problems): boolean {
  const count = { steps: 0 }
  return countBlock(membersOf(body).steps, ['steps'], 1, count, problems)
}

function countBlock(block: unknown, path: Path, depth: number, count: { steps: number }, problems: Problems): boolean {
  if (!Array.isArray(block)) return true
  if (depth > maxNesting) {
    problems.add(path, `steps are nested too deeply: ${maxNesting} levels at most; move some into a child saga`)
    return false
  }
  count.steps += block.length
  if (count.steps > maxSteps) {
    problems.add(['steps'], `more than ${maxSteps} steps altogether; move some into a child saga`)
    return false
  }
  return block.every((step, i) =>
    blocksIn(step).every(([inner, at]) => countBlock(inner, [...path, i, ...at], depth + 1, count, problems)),
  )
}

/** The blocks that something which may be a step holds, and where. */
export function blocksIn(step: unknown): (readonly [block: unknown, at: Path])[] {
  const { parallel, choice, otherwise } = membersOf(step)
  const blocks: (readonly [unknown, Path])[] = []
  if (Array.isArray(parallel)) parallel.forEach((block, i) => void blocks.push([block, ['parallel', i]]))
  if (Array.isArray(choice)) {
    choice.forEach((branch, i) => void blocks.push([membersOf(branch).steps, ['choice', i, 'steps']]))
  }
  if (otherwise !== undefined) blocks.push([otherwise, ['otherwise']])
  return blocks
}

/** Of a value that may be no object at all. */
export function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
