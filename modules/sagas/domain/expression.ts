import type { Json } from './json.ts'

/** What expressions see, by name: input, steps, saga, response, event, key. */
export type Scope = Readonly<Record<string, Json>>

/** An expression that does not parse, or that cannot be evaluated on what it was given. `message` is for users. */
export class ExpressionError extends Error {}
