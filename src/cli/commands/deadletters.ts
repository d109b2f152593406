import { Command } from 'commander'
import { ask } from '../api.ts'
import { connectionOf, examples, integer, print, withConnection } from '../options.ts'
import { table } from '../table.ts'

type Row = Readonly<Record<string, unknown>>
interface Options {
  url: string
  key?: string
}

/** `splitstream deadletters …`: events that were acknowledged and could not be stored (needs the scope admin). */
export function deadLettersCommand(): Command {
  const letters = new Command('deadletters').description('List, replay and delete events that could not be stored')

  const list = new Command('list')
    .description('List dead letters, newest first')
    .option('--limit <n>', 'at most so many', integer(1, 1000), 100)
    .option('--code <code>', 'only those that failed with this code')
    .option('--before <next>', 'go on where the page before ended')
    .option('--json', 'print them whole, one JSON object a line')
    .action(async (o: Options & { limit: number; code?: string; before?: string; json?: boolean }) => {
      const query = new URLSearchParams({ limit: String(o.limit) })
      if (o.code !== undefined) query.set('code', o.code)
      if (o.before !== undefined) query.set('before', o.before)
      const { deadLetters, next } = await ask<{ deadLetters: Row[]; next: string | null }>(
        connectionOf(o),
        'GET',
        `/v1/dead-letters?${query}`,
      )
      if (o.json) for (const letter of deadLetters) print(JSON.stringify(letter))
      else print(table(['id', 'code', 'reason', 'failedAt', 'replayedAt'], deadLetters))
      if (next !== null && !o.json) print(`There are more: --before ${next}`)
    })
  const replay = new Command('replay')
    .description('Send dead letters through ingest again. A dry run, which only counts them, unless --yes is given')
    .argument('<id...>', 'as the list shows them')
    .option('--yes', 'really send them')
    .option('--event <json>', 'a mended event in place of the one that failed (for a single id)')
    .action(async (ids: string[], o: Options & { yes?: boolean; event?: string }) => {
      const event = o.event === undefined ? {} : { event: JSON.parse(o.event) as unknown }
      const body = { ids, dryRun: !o.yes, ...event }
      print(JSON.stringify(await ask<unknown>(connectionOf(o), 'POST', '/v1/dead-letters/replay', body), null, 2))
    })
  const remove = new Command('delete')
    .description('Give dead letters up for good')
    .argument('<id...>', 'as the list shows them')
    .action(async (ids: string[], o: Options) => {
      for (const id of ids) {
        await ask<undefined>(connectionOf(o), 'DELETE', `/v1/dead-letters/${encodeURIComponent(id)}`)
        print(`deleted ${id}`)
      }
    })

  examples(withConnection(list), 'splitstream deadletters list --code LOG_CORRUPT')
  examples(
    withConnection(replay),
    'splitstream deadletters replay 0-4711',
    'splitstream deadletters replay 0-4711 --yes',
  )
  examples(withConnection(remove), 'splitstream deadletters delete 0-4711')
  for (const command of [list, replay, remove]) letters.addCommand(command)
  return examples(letters, 'splitstream deadletters list', 'splitstream deadletters replay 0-4711 --yes')
}
