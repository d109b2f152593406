import { EvaluationError, ParseError, TypeError as TypingError } from '@marcbachmann/cel-js'
import { ExpressionError } from './expression-error.ts'
import { excerpt } from './expression-template.ts'

/** Runs it; what it throws becomes an ExpressionError that says what is wrong and in which expression. */
export function explained<T>(source: string, names: readonly string[] | undefined, run: () => T): T {
  try {
    return run()
  } catch (error) {
    // Without its cause: the library's errors hold whole syntax trees.
    const reason = excerpt(reasonOf(error, names), 300)
    throw new ExpressionError(`${reason}, in the expression ${excerpt(source)}`)
  }
}

function reasonOf(error: unknown, names: readonly string[] | undefined): string {
  if (error instanceof ParseError || error instanceof TypingError || error instanceof EvaluationError) {
    return reasonOfLibrary(error, names)
  }
  if (error instanceof RangeError && error.message.includes('call stack')) return 'A value is nested too deeply'
  return error instanceof Error ? error.message : String(error)
}

function reasonOfLibrary(
  error: ParseError | TypingError | EvaluationError,
  names: readonly string[] | undefined,
): string {
  const summary = error.summary.replaceAll(/dyn<([^<>]+)>/g, '$1')
  switch (error.code) {
    case 'no_such_key':
      return missingMember(error) ?? summary
    case 'unknown_variable':
      return names === undefined ? summary : `${summary.replace('variable', 'name')}; known are ${names.join(', ')}`
    case 'incompatible_ternary_branches':
      return `${summary}; write dyn(…) around one of them to mix types`
    default:
      return summary
  }
}

function missingMember({ node, summary }: ParseError | TypingError | EvaluationError): string | undefined {
  if (node === undefined || !('op' in node) || node.op !== '.') return undefined
  const [holder, name] = node.args as [{ start: number; end: number }, string]
  const path = node.input?.slice(holder.start, holder.end) ?? ''
  return /^[\w.[\]]+$/.test(path) ? `${path} has no member ${name}` : summary
}
