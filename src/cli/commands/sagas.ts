import { Command } from 'commander'
import { examples } from '../options.ts'
import { conformanceCommand } from '../sagas/conformance.ts'
import { definitionsCommand, publishCommand, retireCommand } from '../sagas/definitions.ts'
import { historyCommand, listCommand, showCommand } from '../sagas/look.ts'
import { orderCommands } from '../sagas/orders.ts'
import { refusedCommand } from '../sagas/refused.ts'
import { signingSecretCommand } from '../sagas/signing.ts'
import { startCommand } from '../sagas/start.ts'

/** `splitstream sagas …`: publish, start, look at and act on sagas over HTTP, with a key that has the scope sagas. */
export function sagasCommand(): Command {
  const sagas = new Command('sagas').description('Publish, start, look at and act on sagas (needs the scope sagas)')
  for (const command of [
    listCommand(),
    showCommand(),
    historyCommand(),
    startCommand(),
    ...orderCommands(),
    definitionsCommand(),
    publishCommand(),
    retireCommand(),
    refusedCommand(),
    signingSecretCommand(),
    conformanceCommand(),
  ])
    sagas.addCommand(command)
  return examples(sagas, 'splitstream sagas publish order order.json', 'splitstream sagas list --problem')
}
