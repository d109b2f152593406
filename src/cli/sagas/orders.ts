import { Command } from 'commander'
import { call, problemOf } from '../api.ts'
import { connectionOf, examples, print, withConnection } from '../options.ts'
import type { SagaDetail } from './answers.ts'
import { pathOf, type SagaOptions, sagaText } from './look.ts'
import { parseJson } from './parse-json.ts'

const id = '019ab0c4-6a5e-7c1d-9e0b-2f1f6d1c8a11'

const orders = {
  cancel: {
    says: 'Undo what a saga has done, as long as there is a way back',
    step: 'a pivot of which you know that it took no effect',
    example: `splitstream sagas cancel ${id} --note "ordered twice"`,
  },
  retry: {
    says: 'Try a step again that has failed, or its undo',
    step: 'the step',
    example: `splitstream sagas retry ${id} --step refund`,
  },
  skip: {
    says: 'Go on as if a step, or its undo, were not needed',
    step: 'the step',
    example: `splitstream sagas skip ${id} --step mail --note "sent by hand"`,
  },
  resolve: {
    says: 'Say what came of a step, or of its undo: the saga goes on with that',
    step: 'the step; without it, the output is that of the saga',
    example: `splitstream sagas resolve ${id} --step charge --output '{"id":"ch_1"}'`,
  },
} as const

type Action = keyof typeof orders
type Options = SagaOptions & { readonly step?: string; readonly output?: string; readonly note?: string }

/** `cancel`, `retry`, `skip` and `resolve`: what operators do. */
export function orderCommands(): Command[] {
  return (Object.keys(orders) as Action[]).map((action) => {
    const { says, step, example } = orders[action]
    const command = new Command(action).description(says).argument('<id>', 'of the saga, as the list shows it')
    if (action === 'retry' || action === 'skip') command.requiredOption('--step <step>', step)
    else command.option('--step <step>', step)
    if (action === 'resolve') command.option('--output <json>', 'what came of it; null when not given')
    command
      .option('--note <text>', 'why; it is kept in the history')
      .option('--json', "print the server's answer as it is")
      .action((saga: string, o: Options) => give(action, saga, o))
    return examples(withConnection(command), example)
  })
}

async function give(action: Action, saga: string, { step, output, note, json, ...o }: Options): Promise<void> {
  const body = { step, note, ...(output !== undefined && { output: parseJson('the output', output) }) }
  const answer = await call(connectionOf(o), 'POST', pathOf(saga, `/${action}`), body)
  if (answer.status >= 300) throw problemOf(answer)
  if (json) return print(JSON.stringify(answer.body))
  if (answer.status === 202) print('The saga has not taken it in yet; a worker will.\n')
  print(sagaText(answer.body as SagaDetail))
}
