import { Optional } from '@marcbachmann/cel-js'
import { Duration } from '@marcbachmann/cel-js/evaluator'
import type { Room } from './expression-budget.ts'
import { ExpressionError } from './expression-error.ts'
import type { Json } from './json.ts'

/**
 * What an expression gave, as JSON: integers become numbers (strings beyond 2^53), instants RFC 3339, durations seconds with an
 * s. Values that are JSON already stay the same objects.
 * @throws ExpressionError when it is no JSON value, or takes more than the room
 */
export function toJson(value: unknown, room: Room): Json {
  switch (typeof value) {
    case 'string':
      take(room, value.length + 2)
      return value
    case 'boolean':
      take(room, 5)
      return value
    case 'number':
      take(room, 8)
      if (Number.isFinite(value)) return value
      throw new ExpressionError(`The result is ${value}, which JSON cannot hold; was something divided by zero?`)
    case 'bigint':
      take(room, 8)
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
    case 'object':
      return value === null ? null : objectToJson(value, room)
  }
  throw new ExpressionError(`The result is no JSON value (${typeof value})`)
}

function objectToJson(value: object, room: Room): Json {
  take(room, 2)
  if (Array.isArray(value)) return listToJson(value, room)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return mapToJson(value as Record<string, unknown>, room)
  if (value instanceof Date) return instantToJson(value)
  if (value instanceof Duration) return durationToJson(value)
  if (value instanceof Optional) throw new ExpressionError('The result may be missing; write .orValue(…) after it')
  throw new ExpressionError('The result is a type or a namespace, not a value')
}

function instantToJson(instant: Date): string {
  if (Number.isNaN(instant.getTime())) throw new ExpressionError('The result is an instant that is too far away')
  return instant.toISOString()
}

/** As protobuf writes it in JSON: `5400s`, `-0.5s`. */
function durationToJson(duration: Duration): string {
  return `${(duration.valueOf() / 1_000).toFixed(9).replace(/\.?0+$/, '')}s`
}

function listToJson(list: readonly unknown[], room: Room): Json {
  let changed: Json[] | undefined
  for (let i = 0; i < list.length; i++) {
    take(room, 1)
    const item = toJson(list[i], room)
    if (changed === undefined && item !== list[i]) changed = list.slice(0, i) as Json[]
    changed?.push(item)
  }
  return changed ?? (list as readonly Json[])
}

function mapToJson(map: Record<string, unknown>, room: Room): Json {
  let changed: Record<string, Json> | undefined
  for (const name of Object.keys(map)) {
    if (name === '__proto__') throw new ExpressionError('The result has a member __proto__, which is not taken')
    take(room, name.length + 4)
    const member = toJson(map[name], room)
    if (changed === undefined && member !== map[name]) changed = { ...(map as Record<string, Json>) }
    if (changed !== undefined) changed[name] = member
  }
  return changed ?? (map as Record<string, Json>)
}

function take(room: Room, bytes: number): void {
  room.bytes -= bytes
  if (room.bytes < 0) throw new ExpressionError('The result is too large: 256 KiB at most')
}
