import type { Shape } from './shape.ts'

export interface MethodShape {
  readonly idempotent: boolean
  /** The answer comes as lines of a stream. */
  readonly streams: boolean
  readonly input: Shape
  readonly output: Shape
}

export interface PortShape {
  readonly version: number
  readonly methods: Readonly<Record<string, MethodShape>>
}

export type Contracts = Readonly<Record<string, PortShape>>

/**
 * What of `after` would break a process that was built with `before`, in either direction of a call. Within a major version a
 * change is additive: callers of before are understood, and understand the answers. A new major version may change anything.
 */
export function breaks(before: Contracts, after: Contracts): string[] {
  return Object.entries(before).flatMap(([name, old]) => {
    const now = after[name]
    if (!now) return [`${name}: the port is gone`]
    if (now.version > old.version) return []
    return Object.entries(old.methods).flatMap(([method, was]) => {
      const is = now.methods[method]
      const at = `${name}.${method}`
      if (!is) return [`${at}: the method is gone`]
      const retried =
        was.idempotent && !is.idempotent ? [`${at}: callers repeat it, and it is not idempotent any more`] : []
      const sent = was.streams === is.streams ? [] : [`${at}: its answer is ${is.streams ? 'a' : 'no'} stream now`]
      return [
        ...retried,
        ...sent,
        ...narrower(is.input, was.input, `${at} input`),
        ...narrower(was.output, is.output, `${at} output`),
      ]
    })
  })
}

/**
 * Why a value of shape `given` is not one of shape `wanted`. For inputs: what an old caller gives and the new side wants; for
 * outputs the other way. Members that are not known are ignored by who reads them, but one that was dropped was promised.
 */
function narrower(wanted: Shape, given: Shape, at: string): string[] {
  if ('anyOf' in given) return given.anyOf.flatMap((one) => narrower(wanted, one, at))
  if ('anyOf' in wanted) {
    const reasons = wanted.anyOf.map((one) => narrower(one, given, at))
    return reasons.some((found) => found.length === 0) ? [] : [`${at}: ${textOf(given)} is none of ${textOf(wanted)}`]
  }
  if ('is' in wanted) return accepts(wanted.is, given) ? [] : [`${at}: ${textOf(given)} is not ${wanted.is}`]
  if ('items' in wanted && 'items' in given) return narrower(wanted.items, given.items, `${at}[]`)
  if ('stream' in wanted && 'stream' in given) return narrower(wanted.stream, given.stream, `${at}[each]`)
  if ('values' in wanted && 'values' in given) return narrower(wanted.values, given.values, `${at}.*`)
  if ('members' in wanted && 'members' in given) return members(wanted.members, given.members, at)
  return [`${at}: ${textOf(given)} is not ${textOf(wanted)}`]
}

type Members = Extract<Shape, { members: unknown }>['members']

function members(wanted: Members, given: Members, at: string): string[] {
  const reasons: string[] = []
  for (const name of new Set([...Object.keys(wanted), ...Object.keys(given)])) {
    const [want, got] = [wanted[name], given[name]]
    const here = `${at}.${name}`
    if (!want) {
      // Of an input: the new side no longer takes it. Of an output: the new side adds it, which is fine.
      if (at.includes(' input')) reasons.push(`${here}: is taken no more`)
    } else if (!got) {
      if (at.includes(' output')) reasons.push(`${here}: is given no more`)
      else if (!want.optional) reasons.push(`${here}: is new and not optional`)
    } else if (got.optional && !want.optional) reasons.push(`${here}: may be missing now`)
    else reasons.push(...narrower(want.type, got.type, here))
  }
  return reasons
}

const accepts = (wanted: string, given: Shape): boolean =>
  wanted === 'unknown' ||
  ('is' in given &&
    (given.is === wanted ||
      (wanted === 'string' && given.is.startsWith('"')) ||
      (wanted === 'number' && /^-?\d/.test(given.is)) ||
      (wanted === 'boolean' && ['true', 'false'].includes(given.is))))

const textOf = (shape: Shape): string => ('is' in shape ? shape.is : JSON.stringify(shape).slice(0, 120))
