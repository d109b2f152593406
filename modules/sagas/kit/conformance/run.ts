import { type Case, cases } from './cases.ts'
import type { ConformanceOptions } from './options.ts'
import { Trial } from './trial.ts'

export interface ConformanceResult {
  readonly name: string
  readonly holds: string
  readonly passed: boolean
  /** What was expected and what was found; empty when it passed. */
  readonly detail: string
}

/**
 * Tries the twelve cases of docs/participants.md on a running participant, one after another. It leaves effects behind: run it
 * on a test installation that nobody else uses meanwhile. Never rejects for what the participant does.
 * @throws RangeError for a case that there is not
 */
export async function runConformance(options: ConformanceOptions): Promise<ConformanceResult[]> {
  const names = options.cases ?? cases.map(({ name }) => name)
  const unknown = names.find((name) => !cases.some((one) => one.name === name))
  if (unknown !== undefined) throw new RangeError(`There is no case ${unknown}`)
  const results: ConformanceResult[] = []
  for (const one of cases.filter(({ name }) => names.includes(name))) results.push(await runCase(one, options))
  return results
}

async function runCase({ name, holds, run }: Case, options: ConformanceOptions): Promise<ConformanceResult> {
  try {
    await run(await Trial.begin(options))
    return { name, holds, passed: true, detail: '' }
  } catch (error) {
    return { name, holds, passed: false, detail: error instanceof Error ? error.message : String(error) }
  }
}
