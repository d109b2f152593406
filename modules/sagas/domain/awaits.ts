import { allSteps, type SagaDefinition } from './definition.ts'

/** What some step waits for: events of a type, by the values of these fields. */
export interface Awaited {
  readonly type: string
  readonly fields: readonly string[]
}

/** What the steps of a definition wait for, each once and in an order of its own: the same for the same waits. */
export function awaitsOf(definition: SagaDefinition): Awaited[] {
  const found = new Map<string, Awaited>()
  for (const step of allSteps(definition.steps)) {
    if (!('waitFor' in step)) continue
    const awaited = { type: step.waitFor.type, fields: Object.keys(step.waitFor.match).sort() }
    found.set(JSON.stringify(awaited), awaited)
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, awaited]) => awaited)
}
