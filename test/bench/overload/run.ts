import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { startSubject } from '../subject.ts'
import { measureAdmission } from './admission-cost.ts'
import { measureOverload, overloadPlanOf } from './measure.ts'
import { measureNoisy } from './noisy.ts'
import { overloadDocument, overloadTable } from './report.ts'

const target = fileURLToPath(new URL('../../../docs/bench-overload.md', import.meta.url))

/** Measures, prints a table and writes docs/bench-overload.md. */
export async function runOverload(quick: boolean): Promise<void> {
  const plan = overloadPlanOf(quick)
  const admission = measureAdmission()
  const subject = await startSubject()
  // First, while there are few events: storage has nothing else to do then.
  const noisy = await measureNoisy(plan, subject)
  const overload = await measureOverload(plan, subject)
  await subject.end()
  await writeFile(target, overloadDocument({ overload, noisy, admission }, plan))
  console.log(overloadTable({ overload, noisy, admission }))
}
