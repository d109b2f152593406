import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { startSubject } from '../subject.ts'
import { measureAdmission } from './admission-cost.ts'
import { measureOverload, overloadPlanOf } from './measure.ts'
import { measureNoisy } from './noisy.ts'
import { overloadDocument, overloadRows, overloadTable } from './report.ts'

const target = fileURLToPath(new URL('../../../docs/bench-overload.md', import.meta.url))

/** Measures, prints a table and writes docs/bench-overload.md. @returns whether all targets are met */
export async function runOverload(quick: boolean): Promise<boolean> {
  const plan = overloadPlanOf(quick)
  const admission = measureAdmission()
  const subject = await startSubject()
  // First, while there are few events: storage has nothing else to do then.
  const noisy = await measureNoisy(plan, subject)
  const overload = await measureOverload(plan, subject)
  await subject.end()
  const figures = { overload, noisy, admission }
  await writeFile(target, overloadDocument(figures, plan))
  console.log(overloadTable(figures))
  return overloadRows(figures).every(({ met }) => met !== false)
}
