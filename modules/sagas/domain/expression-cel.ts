import { Environment, EvaluationError, ParseError, TypeError as TypingError } from '@marcbachmann/cel-js'
import { ExpressionError } from './expression-error.ts'
import { excerpt, maxSourceLength } from './expression-template.ts'
import type { Json } from './json.ts'

const environment = withJsonNumbers(
  new Environment({
    unlistedVariablesAreDyn: true,
    homogeneousAggregateLiterals: false,
    enableOptionalTypes: true,
    limits: { maxAstNodes: 1_000, maxDepth: 64, maxListElements: 256, maxMapEntries: 256, maxCallArguments: 16 },
  }),
)

/**
 * Compiles one CEL expression. What it gives is a value of the library; toJson makes it ours.
 * @throws ExpressionError at once when it is wrong by itself; the compiled function, when the scope does not suit it
 */
export function compileCel(
  source: string,
  names?: readonly string[],
): (scope: Readonly<Record<string, Json>>) => unknown {
  if (source.length > maxSourceLength) throw new ExpressionError('The expression is longer than 4 KiB')
  if (source.trim() === '') throw new ExpressionError('The expression is empty')
  const expression = explained(source, () => environmentOf(names).parse(source))
  const checked = expression.check()
  if (!checked.valid) throw explain(source, checked.error)
  return (scope) => explained(source, () => expression(scope) as unknown)
}

const environments = new Map<string, Environment>()

/** One for each list of names; there are few such lists. */
function environmentOf(names: readonly string[] | undefined): Environment {
  if (names === undefined) return environment
  const id = names.join()
  const known = environments.get(id)
  if (known !== undefined) return known
  const limited = environment.clone({ unlistedVariablesAreDyn: false })
  for (const name of names) limited.registerVariable(name, 'dyn')
  environments.set(id, limited)
  return limited
}

/** JSON numbers are doubles and literals are integers: without these, `input.amount * 2` would be an error. */
function withJsonNumbers(target: Environment): Environment {
  type Arithmetic = (left: number | bigint, right: number | bigint) => number
  const operators: Record<string, Arithmetic> = {
    '+': (left, right) => Number(left) + Number(right),
    '-': (left, right) => Number(left) - Number(right),
    '*': (left, right) => Number(left) * Number(right),
    '/': (left, right) => Number(left) / Number(right),
    '%': (left, right) => Number(left) % Number(right),
  }
  for (const [operator, apply] of Object.entries(operators)) {
    target.registerOperator(`int ${operator} double: double`, apply)
    target.registerOperator(`double ${operator} int: double`, apply)
  }
  target.registerOperator('double % double', (left: number, right: number) => left % right)
  target.registerOperator('int == double', (left: bigint, right: number) => Number(left) === right)
  return target
}

function explained<T>(source: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw explain(source, error)
  }
}

function explain(source: string, error: unknown): ExpressionError {
  const ours = error instanceof ParseError || error instanceof EvaluationError || error instanceof TypingError
  const reason = ours ? error.summary : error instanceof Error ? error.message : String(error)
  return new ExpressionError(`${excerpt(reason)} in the expression ${excerpt(source.trim())}`, { cause: error })
}
