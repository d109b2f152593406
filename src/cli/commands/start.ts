import { Command } from 'commander'
import { examples } from '../options.ts'

/** `splitstream start`: the server, in this process, until a signal. Its settings are environment variables. */
export function startCommand(): Command {
  const command = new Command('start')
    .description('Run the server. Settings are environment variables or a .env file: see docs/config.md')
    .action(async () => {
      const { main } = await import('../../main.ts')
      await main()
    })
  return examples(command, 'splitstream start', 'PORT=9000 DATA_DIR=/var/lib/splitstream splitstream start')
}
