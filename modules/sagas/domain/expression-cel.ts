import { type ASTNode, Environment, type ParseResult } from '@marcbachmann/cel-js'
import { type Room, within } from './expression-budget.ts'
import { ExpressionError } from './expression-error.ts'
import { explained } from './expression-explain.ts'
import { withGuards, withJsonNumbers } from './expression-functions.ts'
import { guarded } from './expression-guard.ts'
import { toJson } from './expression-result.ts'
import { excerpt, maxSourceLength } from './expression-template.ts'
import type { Json } from './json.ts'

const options = { unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false, enableOptionalTypes: true }
const limits = {
  maxAstNodes: 1_000,
  maxDepth: 100,
  maxListElements: 256,
  maxMapEntries: 256,
  maxCallArguments: 8,
}

/** What users write is checked in the first, and evaluated in the second, with the guards in it. */
const written = withJsonNumbers(new Environment({ ...options, limits }))
const evaluated = withGuards(
  withJsonNumbers(new Environment({ ...options, limits: { ...limits, maxAstNodes: 10_000, maxDepth: 1_000 } })),
)

export interface Expression {
  readonly source: string
  readonly ast: ASTNode
  /** @throws ExpressionError when the scope does not suit it, or the room does not do */
  evaluate(scope: Readonly<Record<string, Json>>, room: Room): Json
}

/** Compiles one CEL expression. @throws ExpressionError when it is wrong by itself */
export function compileCel(text: string, names?: readonly string[]): Expression {
  const source = text.trim()
  if (source === '') throw new ExpressionError('The expression is empty')
  if (source.length > maxSourceLength)
    throw new ExpressionError(`The expression is longer than 4 KiB: ${excerpt(source)}`)
  const explain = <T>(run: () => T) => explained(source, names, run)
  return explain(() => {
    const { ast } = parse(environmentOf(names), source)
    const run = parse(evaluated, guarded(ast))
    return {
      source,
      ast,
      evaluate: (scope, room) => explain(() => within(room, () => toJson(run(scope), room))),
    }
  })
}

function parse(environment: Environment, source: string): ParseResult {
  const expression = environment.parse(source)
  const checked = expression.check()
  if (!checked.valid) throw checked.error
  return expression
}

const environments = new Map<string, Environment>()

/** One for each list of names; there are few such lists. */
function environmentOf(names: readonly string[] | undefined): Environment {
  if (names === undefined) return written
  const id = names.join()
  const known = environments.get(id)
  if (known !== undefined) return known
  const limited = written.clone({ unlistedVariablesAreDyn: false })
  for (const name of names) limited.registerVariable(name, 'dyn')
  environments.set(id, limited)
  return limited
}
