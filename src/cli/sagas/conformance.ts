import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { examples } from '../options.ts'

/**
 * `splitstream sagas conformance`: the kit's own program, in a process of its own. Nothing of the product is loaded there, and
 * nothing of the kit here.
 */
export function conformanceCommand(): Command {
  const command = new Command('conformance')
    .description('Try twelve cases on a participant that runs (docs/participants.md). It leaves effects behind')
    .argument('<file>', 'JSON: where it is, and what to call')
    .action(async (file: string) => {
      const program = import.meta.resolve('@splitstream/sagas/kit/conformance/bin')
      const child = spawn(process.execPath, [fileURLToPath(program), file], { stdio: 'inherit' })
      const [code] = (await once(child, 'exit')) as [number | null]
      process.exitCode = code ?? 1
    })
  return examples(command, 'splitstream sagas conformance payments.json')
}
