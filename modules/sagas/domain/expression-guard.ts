import type { ASTNode } from '@marcbachmann/cel-js'
import { ExpressionError } from './expression-error.ts'

/**
 * Writes an expression anew, with the checks in it that bound its work and keep it to JSON: `a == b` becomes
 * `_eq(a, b)`, a loop `list.map(x, …)` becomes `_loop(list, 7).map(x, …)`, and so on for what expression-functions.ts holds.
 * The library evaluates what results; it has no bounds of its own, and its equality and conversions are not quite JSON's.
 * @throws ExpressionError for what is not offered: bytes, unsigned integers, regular expressions, time zones, unknown functions
 */
export function guarded(node: ASTNode, depth = 0): string {
  if (depth > maxDepth) throw new ExpressionError(`The expression is nested too deeply; ${maxDepth} levels at most`)
  const inner = (child: ASTNode) => guarded(child, depth + 1)
  switch (node.op) {
    case 'value':
      return literal(node)
    case 'id':
      return node.args
    case '.':
    case '.?':
      return `${inner(node.args[0])}${node.op}${node.args[1]}`
    case '[]':
      return `${inner(node.args[0])}[${index(node.args[1], inner)}]`
    case '[?]':
      return `${inner(node.args[0])}[?${index(node.args[1], inner)}]`
    case '!_':
    case '-_':
      return `(${node.op[0]}${inner(node.args)})`
    case '?:':
      return `(${inner(node.args[0])} ? ${inner(node.args[1])} : ${inner(node.args[2])})`
    case 'list':
      return `[${node.args.map(inner).join(', ')}]`
    case 'map':
      return `{${node.args.map(([key, value]) => `${memberName(key, inner)}: ${inner(value)}`).join(', ')}}`
    case 'call':
      return call(node.args[0], node.args[1], inner)
    case 'rcall':
      return method(node.args[0], node.args[1], node.args[2], inner)
    default:
      return binary(node.op, node.args[0], node.args[1], inner)
  }
}

type Print = (node: ASTNode) => string

const maxDepth = 100

function literal(node: ASTNode): string {
  if (node.args !== null && typeof node.args === 'object') {
    throw new ExpressionError('Bytes and unsigned integers are not offered: JSON has neither')
  }
  if (typeof node.args === 'bigint' && BigInt.asIntN(64, node.args) !== node.args) {
    throw new ExpressionError('An integer has 64 bits at most')
  }
  return node.input.slice(node.start, node.end)
}

function binary(operator: string, left: ASTNode, right: ASTNode, inner: Print): string {
  switch (operator) {
    case '==':
      return `_eq(${inner(left)}, ${inner(right)})`
    case '!=':
      return `(!_eq(${inner(left)}, ${inner(right)}))`
    case 'in':
      return `_in(${inner(left)}, ${inner(right)})`
    case '+':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return `(${weighed(left, inner)} ${operator} ${weighed(right, inner)})`
    default:
      return `(${inner(left)} ${operator} ${inner(right)})`
  }
}

/** Charged for its length, when it is not known to be short. */
function weighed(node: ASTNode, inner: Print): string {
  return node.op === 'value' ? inner(node) : `_weigh(${inner(node)})`
}

function index(node: ASTNode, inner: Print): string {
  return node.op === 'value' ? inner(node) : `_index(${inner(node)})`
}

/** The library leaves these out without a word. */
const refusedNames = ['__proto__', 'constructor', 'prototype']

function memberName(node: ASTNode, inner: Print): string {
  if (node.op !== 'value') return `_name(${inner(node)})`
  if (typeof node.args !== 'string') throw new ExpressionError('Members of a map have names in quotes: {"a": 1}')
  checkMemberName(node.args)
  return inner(node)
}

/** @throws ExpressionError when a map cannot have a member of that name */
export function checkMemberName(name: unknown): string {
  if (typeof name !== 'string') throw new ExpressionError('The name of a member must be text')
  if (refusedNames.includes(name)) throw new ExpressionError(`A member cannot be named ${name}`)
  return name
}

const functions = ['size', 'string', 'int', 'double', 'bool', 'dyn', 'type', 'timestamp', 'duration']

function call(name: string, args: readonly ASTNode[], inner: Print): string {
  // has() takes a path and nothing else; the library checks that.
  if (name === 'has') return `has(${args.map(inner).join(', ')})`
  if (!functions.includes(name)) throw unknown(`${name}()`)
  const guard = name === 'timestamp' ? '_instant' : name === 'duration' ? '_span' : '_weigh'
  return `${name}(${args.map((arg) => `${guard}(${inner(arg)})`).join(', ')})`
}

/** What a turn costs besides what is done in it. The first two swallow errors, and errors are dear. */
const loops: Readonly<Record<string, number>> = Object.assign(Object.create(null), {
  all: 16,
  exists: 16,
  exists_one: 0,
  map: 0,
  filter: 0,
})
const searches = ['startsWith', 'endsWith', 'contains', 'indexOf', 'lastIndexOf', 'split']
const positional = ['substring']
const plain = ['size', 'lowerAscii', 'upperAscii', 'trim']
const ofOptionals = ['hasValue', 'value', 'or', 'orValue', 'of', 'none']
const ofTimes = [
  'getFullYear',
  'getMonth',
  'getDate',
  'getDayOfMonth',
  'getDayOfWeek',
  'getHours',
  'getMinutes',
  'getSeconds',
  'getMilliseconds',
]

function method(name: string, receiver: ASTNode, args: readonly ASTNode[], inner: Print): string {
  const on = inner(receiver)
  const list = (guard: string) => args.map((arg) => `${guard}(${inner(arg)})`).join(', ')
  if (name in loops) return `_loop(${on}, ${sizeOf(args) + loops[name]!}).${name}(${args.map(inner).join(', ')})`
  if (searches.includes(name)) return `_text(${on}).${name}(${list('_short')})`
  if (positional.includes(name)) return `_weigh(${on}).${name}(${list('_index')})`
  if (plain.includes(name)) return `_weigh(${on}).${name}(${list('_weigh')})`
  if (name === 'join') return `_texts(${on}).join(${list('_short')})`
  if (ofOptionals.includes(name) || (name === 'bind' && receiver.op === 'id' && receiver.args === 'cel')) {
    return `${on}.${name}(${args.map(inner).join(', ')})`
  }
  if (!ofTimes.includes(name)) throw unknown(`.${name}()`)
  if (args.length > 0) throw new ExpressionError(`.${name}() takes no time zone here: instants are read in UTC`)
  return `${on}.${name}()`
}

function unknown(what: string): ExpressionError {
  return new ExpressionError(
    what === '.matches()'
      ? 'Regular expressions are not offered, as some take forever; use startsWith, endsWith or contains'
      : `There is no function ${what}`,
  )
}

/** Nodes of what a loop does for each item: what one turn costs. */
function sizeOf(nodes: readonly ASTNode[]): number {
  return nodes.reduce((sum, node) => sum + 1 + sizeOf(childrenOf(node)), 0)
}

/** The parts of an expression, in the order in which they are written. */
export function childrenOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return []
    case '.':
    case '.?':
      return [node.args[0]]
    case '!_':
    case '-_':
      return [node.args]
    case 'map':
      return node.args.flat()
    case 'call':
      return node.args[1]
    case 'rcall':
      return [node.args[1], ...node.args[2]]
    default:
      return node.args
  }
}
