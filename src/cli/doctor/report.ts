import { printable } from '../table.ts'
import type { Row } from './check.ts'

/** One line for each check; what to do stands below those that are not ok. */
export function renderReport(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ check }) => check.length))
  const lines = rows.flatMap(({ check, verdict, measured, advice }) => {
    const line = `${verdict.padEnd(4)}  ${check.padEnd(width)}  ${whole(measured)}`
    return advice === undefined ? [line] : [line, `${' '.repeat(width + 8)}→ ${whole(advice)}`]
  })
  const count = (one: Row['verdict']): number => rows.filter(({ verdict }) => verdict === one).length
  return [...lines, '', `${count('ok')} ok, ${count('warn')} warn, ${count('fail')} fail`].join('\n')
}

/** What others say is shown, but steers no terminal. */
const whole = (text: string): string => (text.match(/[\s\S]{1,200}/g) ?? []).map(printable).join('')
