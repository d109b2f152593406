import type { ASTNode } from '@marcbachmann/cel-js'
import { childrenOf } from './expression-guard.ts'

/** A member of a top-level name that an expression reads, such as `charge` of `steps`. */
export interface Reference {
  readonly member: string
  /** It is read only when it is there: `has(steps.charge) ? steps.charge.id : ''`, or `steps.?charge`. */
  readonly guarded: boolean
}

/**
 * The members of the top-level name `of` that an expression reads. Undefined stands for one that is known only when it is
 * evaluated, such as `steps[input.which]`. The name alone, read as a whole, is no reference to a member.
 */
export function referencesOf(ast: ASTNode, of: string): (Reference | undefined)[] {
  const found: (Reference | undefined)[] = []
  collect(ast, { of, hidden: false, present: new Set() }, found)
  return found
}

interface Context {
  readonly of: string
  /** A loop's variable has the same name. */
  readonly hidden: boolean
  /** Members that are there whenever this part of the expression counts. */
  readonly present: ReadonlySet<string>
}

function collect(node: ASTNode, context: Context, found: (Reference | undefined)[]): void {
  const into = (child: ASTNode, present: readonly string[] = []) =>
    collect(child, { ...context, present: new Set([...context.present, ...present]) }, found)
  const member = context.hidden ? false : memberOf(node, context.of)
  if (member !== false) {
    const optional = node.op === '.?' || node.op === '[?]'
    found.push(member === undefined ? undefined : { member, guarded: optional || context.present.has(member) })
    if (member === undefined) for (const child of childrenOf(node).slice(1)) into(child)
    return
  }
  switch (node.op) {
    case '?:': {
      const [condition, yes, no] = node.args
      into(condition)
      into(yes, presentIf(condition, true, context.of))
      into(no, presentIf(condition, false, context.of))
      return
    }
    // Either side may come first: what is wrong with the one does not count when the other decides.
    case '&&':
    case '||': {
      const [left, right] = node.args
      into(left, presentIf(right, node.op === '&&', context.of))
      into(right, presentIf(left, node.op === '&&', context.of))
      return
    }
    case 'call':
      if (node.args[0] === 'has' && node.args[1][0] !== undefined) into(node.args[1][0], hasMember(node, context.of))
      else for (const child of node.args[1]) into(child)
      return
    case 'rcall': {
      const [, receiver, args] = node.args
      into(receiver)
      const hidden = context.hidden || (args.length > 1 && args[0]?.op === 'id' && args[0].args === context.of)
      for (const child of args) collect(child, { ...context, hidden }, found)
      return
    }
    default:
      for (const child of childrenOf(node)) into(child)
  }
}

/** The member of the name that this node reads; undefined when it is not known yet; false when it is something else. */
function memberOf(node: ASTNode, of: string): string | undefined | false {
  if (node.op !== '.' && node.op !== '.?' && node.op !== '[]' && node.op !== '[?]') return false
  const [holder, member] = node.args
  if (holder.op !== 'id' || holder.args !== of) return false
  if (typeof member === 'string') return member
  return member.op === 'value' && typeof member.args === 'string' ? member.args : undefined
}

/** Members that are there for sure when the condition gives `outcome`. */
function presentIf(condition: ASTNode, outcome: boolean, of: string): string[] {
  switch (condition.op) {
    case '!_':
      return presentIf(condition.args, !outcome, of)
    case '&&':
    case '||':
      if ((condition.op === '&&') !== outcome) return []
      return condition.args.flatMap((part) => presentIf(part, outcome, of))
    case 'call':
      return outcome ? hasMember(condition, of) : []
    case 'in': {
      const [name, holder] = condition.args
      const named = outcome && holder.op === 'id' && holder.args === of && name.op === 'value'
      return named && typeof name.args === 'string' ? [name.args] : []
    }
    default:
      return []
  }
}

/** `has(steps.charge)` tells that charge is there; so does `has(steps.charge.id)`, but it fails when it is not. */
function hasMember(node: ASTNode, of: string): string[] {
  if (node.op !== 'call' || node.args[0] !== 'has') return []
  const path = node.args[1][0]
  const member = path === undefined ? false : memberOf(path, of)
  return typeof member === 'string' ? [member] : []
}
