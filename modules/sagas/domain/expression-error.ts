/** An expression that does not parse, or that cannot be evaluated on what it was given. `message` is for users. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError'
}
