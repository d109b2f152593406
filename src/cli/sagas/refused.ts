import { Command } from 'commander'
import { ask, type Connection } from '../api.ts'
import { connectionOf, examples, integer, print, withConnection } from '../options.ts'
import { table } from '../table.ts'
import type { SagaOptions } from './look.ts'
import { parseJson } from './parse-json.ts'

type Row = Readonly<Record<string, unknown>>
type Options = SagaOptions & { readonly note?: string; readonly event?: string }

const columns = ['id', 'saga', 'step', 'code', 'detail', 'refusedAt', 'settled', 'settledBy', 'note']

/** `splitstream sagas refused …`: events that sagas emitted and ingest refused. */
export function refusedCommand(): Command {
  const refused = new Command('refused').description('List, replay and discard emitted events that ingest refused')
  for (const command of [listCommand(), replayCommand(), discardCommand()]) refused.addCommand(command)
  return examples(refused, 'splitstream sagas refused list', 'splitstream sagas refused replay 17')
}

function listCommand(): Command {
  const command = new Command('list')
    .description('List them, newest first')
    .option('--settled', 'also those that were sent or discarded')
    .option('--limit <n>', 'at most so many', integer(1, 1_000), 100)
    .option('--before <id>', 'go on below this one')
    .option('--json', 'print them whole, one JSON object a line')
    .action(async ({ settled, limit, before, json, ...o }: SagaOptions & Row) => {
      const query = new URLSearchParams({ limit: String(limit) })
      if (settled) query.set('settled', 'true')
      if (before !== undefined) query.set('before', String(before))
      const { refusedEvents, next } = await ask<{ refusedEvents: Row[]; next: string | null }>(
        connectionOf(o),
        'GET',
        `/v1/refused-events?${query}`,
      )
      if (json) for (const one of refusedEvents) print(JSON.stringify(one))
      else print(table(columns, refusedEvents))
      if (next !== null && !json) print(`There are more: --before ${next}`)
    })
  return examples(withConnection(command), 'splitstream sagas refused list', 'splitstream sagas refused list --settled')
}

function replayCommand(): Command {
  const command = new Command('replay')
    .description('Send them to ingest again')
    .argument('<id...>', 'as the list shows them')
    .option('--event <json>', 'a mended event with the same id, in place of the one that was refused (for a single id)')
    .option('--note <text>', 'why; it is kept')
    .action(async (ids: string[], { event, note, ...o }: Options) => {
      if (event !== undefined && ids.length > 1) throw new Error('--event is for a single id')
      const mended = event === undefined ? {} : { event: parseJson('the event', event) }
      await settle(connectionOf(o), ids, 'replay', { note, ...mended })
    })
  return examples(withConnection(command), 'splitstream sagas refused replay 17 --note "the limit was raised"')
}

function discardCommand(): Command {
  const command = new Command('discard')
    .description('Give them up for good')
    .argument('<id...>', 'as the list shows them')
    .option('--note <text>', 'why; it is kept')
    .action(async (ids: string[], { note, ...o }: Options) => settle(connectionOf(o), ids, 'discard', { note }))
  return examples(withConnection(command), 'splitstream sagas refused discard 17 18')
}

async function settle(connection: Connection, ids: readonly string[], action: string, body: object): Promise<void> {
  for (const id of ids) {
    const path = `/v1/refused-events/${encodeURIComponent(id)}/${action}`
    const { settled, saga, step } = await ask<Row>(connection, 'POST', path, body)
    print(`${id} is ${String(settled)}: step ${String(step)} of ${String(saga)}`)
  }
}
