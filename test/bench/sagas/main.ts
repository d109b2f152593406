import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cleanUp } from '../cleanup.ts'
import { progress } from '../progress.ts'
import { type EngineName, engineNames, engines } from './engines/all.ts'
import { measurePass, type Pass } from './measure.ts'
import { installPeers } from './peers/install.ts'
import { planOf } from './plan.ts'
import { checkTheChecker } from './planted.ts'
import { measureRecovery } from './recovery.ts'
import { sagaDocument, sagaTables } from './report.ts'

const help = `npm run bench:sagas -- [--quick] [--engines ${engineNames.join(',')}] [--recovery] [--help]

Measures the same saga, with the same participant and load, on Splitstream, on DBOS and Restate, and without an engine, on
this machine; and how soon Splitstream goes on when a worker is killed and when an undo is stuck. Prints tables and writes
docs/bench-sagas.md. Takes about eight minutes and at the first time installs the peers from npm (240 MB); Linux only. Leave
the machine alone meanwhile.

  --quick     one short pass instead of three, about two minutes
  --engines   only these; nothing is written
  --recovery  only how soon it goes on; nothing is written

Exit code: 0 measured, 2 the bench could not run, or an engine's sagas did not end as they must.`

const target = fileURLToPath(new URL('../../../docs/bench-sagas.md', import.meta.url))

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      engines: { type: 'string' },
      recovery: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(help)
  if (process.platform !== 'linux') throw new Error('the bench reads /proc: it runs on Linux only')
  const plan = planOf(values.quick)
  if (values.recovery) return console.log(sagaTables(new Map(), await measureRecovery(plan.passes)))
  const names = chosen(values.engines)
  await installPeers()
  progress('planted bugs')
  await checkTheChecker()
  const passes = new Map<EngineName, Pass[]>(names.map((name) => [name, []]))
  for (let pass = 0; pass < plan.passes; pass++) {
    progress(`pass ${pass + 1} of ${plan.passes}`)
    for (const [name, measured] of passes) measured.push(await measurePass(engines[name], plan, pass === 0))
  }
  const recovery = values.engines === undefined ? await measureRecovery(plan.passes) : undefined
  console.log(sagaTables(passes, recovery))
  if (recovery) await writeFile(target, sagaDocument(passes, recovery, plan))
}

function chosen(list: string | undefined): EngineName[] {
  const names = list?.split(',') ?? engineNames
  const unknown = names.find((name) => !engineNames.some((known) => known === name))
  if (unknown !== undefined) throw new Error(`--engines knows ${engineNames.join(', ')}, and not ${unknown}`)
  return engineNames.filter((name) => names.includes(name))
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void cleanUp().finally(() => process.exit(2)))
}
try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 2
} finally {
  await cleanUp()
}
