import type { ConformanceResult } from './run.ts'

/** One line for each case, what was found under those that failed, and the count. */
export function conformanceReport(results: readonly ConformanceResult[]): string {
  const lines = results.flatMap(({ name, holds, passed, detail }) => [
    `${passed ? 'passed' : 'FAILED'}  ${name.padEnd(22)} ${holds}`,
    ...(passed ? [] : [`        ${detail}`]),
  ])
  const passed = results.filter((result) => result.passed).length
  return `${lines.join('\n')}\n${passed} passed, ${results.length - passed} failed\n`
}
