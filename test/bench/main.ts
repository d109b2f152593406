import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cleanUp } from './cleanup.ts'
import { measureFaults } from './faults/measure.ts'
import { faultRows, faultsDocument, proven } from './faults/report.ts'
import { ratioTarget, storedRatio, telemetryRows } from './figures.ts'
import { runOverload } from './overload/run.ts'
import { planOf } from './plan.ts'
import { document, figureTable, rowTable } from './report.ts'
import { measureAll } from './run.ts'
import { measureTelemetry } from './telemetry/measure.ts'

const help = `npm run bench -- [--quick] [--telemetry] [--faults] [--overload] [--assert] [--help]

Measures speed and memory of the real server on this machine, prints a table and writes docs/bench.md. Takes about
fifteen minutes; Linux only (it reads /proc). Leave the machine alone meanwhile.

  --quick      a fifth of the work
  --telemetry  only what telemetry costs (figure 8); nothing is written
  --faults     what becomes of requests when a dependency is slow (seven minutes; HAProxy in the path, or Debian's apt);
               writes docs/bench-faults.md instead
  --overload   what is served of five times the load that can be (six minutes); writes docs/bench-overload.md instead
  --assert     exit code 1 when events are stored at less than ${ratioTarget} of the rate of the engine alone. Other targets
               depend on the machine and never fail a run. With --overload: 1 when a target is missed. With --faults: 1 when a
               target is missed, or met without what it is for.

Exit code: 0 measured, 1 see --assert, 2 the bench could not run.`

const target = fileURLToPath(new URL('../../docs/bench.md', import.meta.url))
const faultsTarget = fileURLToPath(new URL('../../docs/bench-faults.md', import.meta.url))

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      telemetry: { type: 'boolean', default: false },
      faults: { type: 'boolean', default: false },
      overload: { type: 'boolean', default: false },
      assert: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(help)
    return 0
  }
  if (process.platform !== 'linux') throw new Error('the bench reads /proc: it runs on Linux only')
  const plan = planOf(values.quick)
  if (values.telemetry) {
    console.log(rowTable(telemetryRows(await measureTelemetry(plan))))
    return 0
  }
  if (values.faults) {
    const figures = await measureFaults(values.quick)
    await writeFile(faultsTarget, faultsDocument(figures, values.quick))
    console.log(rowTable(faultRows(figures)))
    return values.assert && !proven(figures) ? 1 : 0
  }
  if (values.overload) {
    const met = await runOverload(values.quick)
    return values.assert && !met ? 1 : 0
  }
  const figures = await measureAll(plan)
  await writeFile(target, document(figures, plan))
  console.log(figureTable(figures))
  return values.assert && storedRatio(figures) < ratioTarget ? 1 : 0
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void cleanUp().finally(() => process.exit(2)))
}
try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 2
} finally {
  await cleanUp()
}
