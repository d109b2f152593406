import { Command } from 'commander'
import { ask } from '../api.ts'
import { connectionOf, examples, integer, print, withConnection } from '../options.ts'
import type { SagaOptions } from './look.ts'

interface Secret {
  readonly secret: string
  readonly previous?: { readonly secret: string; readonly until: string }
}

export function signingSecretCommand(): Command {
  const command = new Command('signing-secret')
    .description('Show the secret that requests to participants are signed with, or change it')
    .option(
      '--change',
      'another secret from now on; requests are signed with the old one as well, until the grace is over',
    )
    .option('--grace <seconds>', 'with --change: for how long the old secret goes on', integer(0, 2_592_000), 86_400)
    .option('--json', "print the server's answer as it is")
    .action(async (o: SagaOptions & { change?: boolean; grace: number }) => {
      const path = '/v1/saga-signing-secret'
      const answer = o.change
        ? await ask<Secret>(connectionOf(o), 'POST', path, { graceSeconds: o.grace })
        : await ask<Secret>(connectionOf(o), 'GET', path)
      if (o.json) return print(JSON.stringify(answer))
      print(answer.secret)
      // Apart from the secret, which scripts read.
      if (answer.previous) console.error(`until ${answer.previous.until} also: ${answer.previous.secret}`)
    })
  return examples(
    withConnection(command),
    'splitstream sagas signing-secret',
    'splitstream sagas signing-secret --change --grace 3600',
  )
}
