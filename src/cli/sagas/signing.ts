import { Command } from 'commander'
import { ask } from '../api.ts'
import { connectionOf, examples, print, withConnection } from '../options.ts'
import type { SagaOptions } from './look.ts'

export function signingSecretCommand(): Command {
  const command = new Command('signing-secret')
    .description('Show the secret that requests to participants are signed with')
    .option('--json', "print the server's answer as it is")
    .action(async (o: SagaOptions) => {
      const answer = await ask<{ secret: string }>(connectionOf(o), 'GET', '/v1/saga-signing-secret')
      print(o.json ? JSON.stringify(answer) : answer.secret)
    })
  return examples(withConnection(command), 'splitstream sagas signing-secret')
}
