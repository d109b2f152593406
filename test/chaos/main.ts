import { parseArgs } from 'node:util'
import { runBackup } from './backup/main.ts'
import { runDiskFull } from './disk-full.ts'
import { runExtract } from './extract.ts'
import { kafkaFaults, runKafka } from './kafka.ts'
import { runKill } from './kill.ts'
import { outages, runOutage } from './outage.ts'
import { plants, runPlanted } from './planted.ts'
import { runPowerCut } from './power-cut.ts'
import { runRolling } from './rolling/rolling.ts'
import { runSagaFaults, sagaRuns } from './sagas/main.ts'

const help = `Faults against the real server, held against what the client was told.

  npm run chaos -- kill [--seeds 100] [--from 1] [--rate 8000]
      seeded kill -9 of the main process, ClickHouse, Postgres and its backends under load; every strike has to hit, and five
      eighths of the rate to be acknowledged while there is a server
  npm run chaos -- power-cut [--runs 10] [--from 1]
      the disk as it was at one instant, without what was only in memory (needs root and a loop device)
  npm run chaos -- disk-full             the disk fills up and is freed again (needs root)
  npm run chaos -- postgres-down         Postgres cannot run for a while     [--hold 60] seconds; 15 with CI set
  npm run chaos -- engine-down           ClickHouse cannot run for a while   [--hold 60]
  npm run chaos -- engine-slow           ClickHouse stands still for most of the time [--hold 60]
  npm run chaos -- backup                a backup under load, everything deleted, a restore   [--rate 3000]
  npm run chaos -- kafka [${Object.keys(kafkaFaults).join('|')}]
      the log on three real brokers, two storage processes, one fault after another      [--hold 20] [--rate 5000]
      --exact: partitions move within 10 s, of a broker's fault, too; without, within 15 s, and within 20 s of a killed broker
  npm run chaos -- extract               storage moves out over Kafka, and back, under load   [--rate 5000]
      --exact: the p99 is twice that of before for less than 5 s in a row; without, what takes less than 1 s is not called slow. It moves
      twice, and judges by the second time how slow answers are: brokers that have just begun compile their own code for a minute
  npm run chaos -- rolling [--restarts 100] [--rate 500]
      every process is replaced by a fresh one, again and again, under load: no request fails
      --gateway: two of each module behind HAProxy with the configuration in deploy/, each stopped before the next one starts
  npm run chaos -- sagas [${sagaRuns.join('|')}]   [--seeds 100] [--from 1] [--only part]
      several processes that run sagas, against an external ledger: kill -9 before and after every write, send and receive;
      how soon others go on; zombies; Redis wiped, dead and frozen; hostile participants; clocks that step. All, one after another
  npm run chaos -- planted ${Object.keys(plants).join('|')}|all
      plants a bug into a copy of the product; the run passes when the checker finds it

Exit code: 0 passed, 1 a promise was broken, 2 the harness could not run.
--keep keeps the data directory also when the run passed.`

/** Events a second, where they are not 8,000. */
const rates: Readonly<Record<string, string>> = { extract: '5000', backup: '3000', rolling: '500' }

/** The number given for an option, within its bounds. @throws Error */
function numberOf(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < min || value > max)
    throw new Error(`--${name}: a whole number, ${min} to ${max}`)
  return value
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seeds: { type: 'string', default: '100' },
      runs: { type: 'string', default: '10' },
      restarts: { type: 'string', default: '100' },
      from: { type: 'string', default: '1' },
      rate: { type: 'string' },
      hold: { type: 'string', default: process.env.CI ? '15' : '60' },
      only: { type: 'string' },
      planted: { type: 'string' },
      exact: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      gateway: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const what = values.planted === undefined ? positionals[0] : 'planted'
  const from = numberOf('from', values.from, 0, 1e9)
  const eventsPerSecond = numberOf('rate', values.rate ?? rates[what ?? ''] ?? '8000', 1, 1e6)
  const common = { from, eventsPerSecond, keep: values.keep }
  const holdMs = numberOf('hold', values.hold, 1, 3600) * 1000
  if (what !== undefined && what in outages)
    console.log(`${what} for ${holdMs / 1000} s${holdMs < 60_000 ? ': --hold 60 holds it for the whole minute' : ''}`)
  if (values.help || what === undefined) {
    console.log(help)
    return values.help ? 0 : 2
  }
  let failed: number
  if (what === 'kill') failed = await runKill({ ...common, seeds: numberOf('seeds', values.seeds, 1, 1e6) })
  else if (what === 'power-cut') failed = await runPowerCut({ ...common, runs: numberOf('runs', values.runs, 1, 1e6) })
  else if (what === 'disk-full') failed = await runDiskFull(common)
  else if (what === 'backup') failed = await runBackup(common)
  else if (what in outages) failed = await runOutage(what as keyof typeof outages, { ...common, holdMs })
  else if (what === 'kafka') {
    const names = positionals.length > 1 ? positionals.slice(1) : Object.keys(kafkaFaults)
    const unknown = names.find((name) => !(name in kafkaFaults))
    if (unknown) throw new Error(`there is no fault called ${unknown}\n\n${help}`)
    failed = await runKafka(names as (keyof typeof kafkaFaults)[], { ...common, holdMs, exact: values.exact })
  } else if (what === 'rolling')
    failed = await runRolling({
      ...common,
      gateway: values.gateway,
      restarts: numberOf('restarts', values.restarts, 1, 10_000),
    })
  else if (what === 'extract') failed = await runExtract({ ...common, exact: values.exact })
  else if (what === 'sagas') {
    const names = positionals.length > 1 ? positionals.slice(1) : sagaRuns
    const unknown = names.find((name) => !sagaRuns.includes(name))
    if (unknown) throw new Error(`there is no fault of sagas called ${unknown}\n\n${help}`)
    const o = { from, seeds: numberOf('seeds', values.seeds, 1, 1e6), keep: values.keep, only: values.only }
    failed = await runSagaFaults(names, o)
  } else if (what === 'planted') failed = await runPlanted(values.planted ?? positionals[1] ?? 'all')
  else throw new Error(`there is no fault called ${what}\n\n${help}`)
  console.log(failed === 0 ? 'passed' : `FAILED: ${failed}`)
  return failed === 0 ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 2
}
