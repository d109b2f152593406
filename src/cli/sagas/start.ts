import { randomUUID } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { Command, Option } from 'commander'
import { ask } from '../api.ts'
import { connectionOf, examples, integer, print, withConnection } from '../options.ts'
import type { SagaSummary } from './answers.ts'
import { parseJson } from './parse-json.ts'

interface Options {
  readonly url: string
  readonly key?: string
  readonly idempotencyKey?: string
  readonly wait?: number
}

export function startCommand(): Command {
  const command = new Command('start')
    .description('Start a saga, and print it')
    .argument('<name>', 'of a definition that is published')
    .argument('[input]', 'its input, JSON; - reads it from stdin', '{}')
    .addOption(
      new Option(
        '--idempotency-key <key>',
        'with the same key the same input starts one saga, however often; default: a new one',
      ),
    )
    .option('--wait <seconds>', 'wait for its end, so long at most', integer(0, 30))
    .action(async (name: string, given: string, o: Options) => {
      const input = parseJson('the input', given === '-' ? await text(process.stdin) : given)
      const path = `/v1/sagas/${encodeURIComponent(name)}${o.wait === undefined ? '' : `?wait=${o.wait}`}`
      const headers = { 'idempotency-key': o.idempotencyKey ?? randomUUID() }
      print(JSON.stringify(await ask<SagaSummary>(connectionOf(o), 'POST', path, input, headers), null, 2))
    })
  return examples(
    withConnection(command),
    `splitstream sagas start order '{"orderId":"o-1","amount":12.5,"quantity":1}' --wait 10`,
    'splitstream sagas start order --idempotency-key o-1 - < order.json',
  )
}
