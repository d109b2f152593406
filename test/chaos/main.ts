/** `npm run chaos -- kill --seeds 100`: faults against the real product, with the clients' ledger as the oracle. */
import { Command, InvalidArgumentError } from 'commander'
import { killSeeds, type SeedReport } from './kill.ts'
import { plantedTree, plants } from './planted.ts'
import { powerCuts } from './power-cut.ts'

const whole = (text: string): number => {
  const n = Number(text)
  if (!Number.isInteger(n) || n < 1) throw new InvalidArgumentError('a whole number from 1')
  return n
}

const program = new Command('chaos').description('Faults against the real product; the clients’ ledger is the oracle')
const plantOption = [
  '--planted <bug>',
  `run with a planted bug and expect the checker to fail: ${Object.keys(plants).join(', ')}`,
] as const

program
  .command('kill')
  .description('kill -9 of the main process, the ClickHouse child and Postgres during ingest')
  .option('--seeds <n>', 'how many', whole, 10)
  .option('--from <seed>', 'the first', whole, 1)
  .option(...plantOption)
  .action(async (o: { seeds: number; from: number; planted?: string }) => {
    await withTree(o.planted, async (root) => {
      const worst = { restartMs: 0 }
      const failed = await killSeeds(o.from, o.seeds, {
        ...(root !== undefined && { root }),
        onSeed: (report, dir) => {
          worst.restartMs = Math.max(worst.restartMs, report.restartMs)
          print(
            report,
            report.ok ? '' : `; data kept in ${dir}; again: npm run chaos -- kill --from ${report.seed} --seeds 1`,
          )
        },
      })
      console.log(`slowest restart of the main process: ${worst.restartMs} ms`)
      return { total: o.seeds, failed }
    })
  })

program
  .command('power-cut')
  .description('copy the mounted disk image under load and start on the copy (needs root and loop devices)')
  .option('--runs <n>', 'how many', whole, 10)
  .option('--from <seed>', 'the first seed', whole, 1)
  .option(...plantOption)
  .action(async (o: { runs: number; from: number; planted?: string }) => {
    await withTree(o.planted, async (root) => ({
      total: o.runs,
      failed: await powerCuts(o.from, o.runs, {
        ...(root !== undefined && { root }),
        onRun: (report) => print(report, ''),
      }),
    }))
  })

/** Runs with the tree as it is, or with a planted copy: then at least one run must fail. */
async function withTree(
  planted: string | undefined,
  run: (root?: string) => Promise<{ total: number; failed: number }>,
): Promise<void> {
  if (planted === undefined) {
    const { total, failed } = await run()
    console.log(`${total - failed} passed, ${failed} failed`)
    process.exitCode = failed > 0 ? 1 : 0
    return
  }
  const tree = await plantedTree(planted)
  try {
    const { failed } = await run(tree.root)
    console.log(failed > 0 ? `planted ${planted}: caught` : `planted ${planted}: NOT caught`)
    process.exitCode = failed > 0 ? 0 : 1
  } finally {
    await tree.remove()
  }
}

function print(report: Partial<SeedReport> & { seed: number; ok: boolean }, hint: string): void {
  console.log(`${report.ok ? 'ok  ' : 'FAIL'} ${JSON.stringify(report)}${hint}`)
}

await program.parseAsync()
