import { Command, Option } from 'commander'
import { diagnose } from '../doctor/diagnose.ts'
import { renderReport } from '../doctor/report.ts'
import { examples, print } from '../options.ts'

interface Options {
  url?: string
  key?: string
  json?: boolean
}

/** `splitstream doctor`: what a start would stand on, measured, and what to do about it. Exit code 1 when anything fails. */
export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('Check this machine, the settings and all that they lead to, and say what is wrong and what to do')
    .option('--url <url>', 'the running server to look at; default: where the settings say that it listens')
    .addOption(
      new Option('--key <key>', "the operator's key, to ask the server for its topology").env('SPLITSTREAM_KEY'),
    )
    .option('--json', 'print it as JSON')
    .action(async ({ url, key, json = false }: Options) => {
      const rows = await diagnose({ url, key })
      const failed = rows.some(({ verdict }) => verdict === 'fail')
      print(json ? JSON.stringify({ ok: !failed, checks: rows }, null, 2) : renderReport(rows))
      // Not left to end by itself: what hangs may hold a connection.
      process.stdout.write('', () => process.exit(failed ? 1 : 0))
    })
  return examples(
    command,
    'splitstream doctor',
    'MODULES=query LINK_STORAGE_READ=http://storage:8080 splitstream doctor',
    'splitstream doctor --json | jq \'.checks[] | select(.verdict != "ok")\'',
  )
}
