/** Saga definitions in TypeScript: the same JSON, with names that the compiler knows. See docs/saga-definitions.md. */
export { cel, has, orElse } from './cel.ts'
export { Expression, type Template } from './expression.ts'
export type { Maybe, Ref } from './ref.ts'
export { saga } from './saga.ts'
