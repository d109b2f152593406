import { Command, Option } from 'commander'
import { ask, type Connection } from '../api.ts'
import { connectionOf, examples, integer, print, withConnection } from '../options.ts'
import { printable, table } from '../table.ts'
import type { HistoryEvent, SagaDetail, SagaSummary, Waiting } from './answers.ts'
import { timeline } from './timeline.ts'

export interface SagaOptions {
  readonly url: string
  readonly key?: string
  readonly json?: boolean
}

export const pathOf = (id: string, more = ''): string => `/v1/sagas/${encodeURIComponent(id)}${more}`

export function listCommand(): Command {
  const statuses = ['running', 'compensating', 'completed', 'compensated', 'needs_attention']
  const command = new Command('list')
    .description('List sagas, newest first')
    .option('--name <name>', 'only those of this definition')
    .addOption(new Option('--status <status>', 'only those that stand so').choices(statuses))
    .option('--problem', 'only those that something keeps from going on')
    .option('--idempotency-key <key>', 'started by the request with this Idempotency-Key')
    .option('--started-by <event>', 'started by this event: its source, a space, its id')
    .option('--from <instant>', 'started at or after (RFC 3339)')
    .option('--to <instant>', 'started before')
    .option('--limit <n>', 'at most so many', integer(1, 1_000), 100)
    .option('--before <id>', 'go on below this one')
    .option('--json', 'print them as they come, one JSON object a line')
    .action(async ({ url, key, json, ...filter }: SagaOptions & Record<string, string | number | boolean>) => {
      // `--key` is that of the API.
      const parameter = (name: string) => (name === 'idempotencyKey' ? 'key' : name)
      const query = new URLSearchParams(
        Object.entries(filter).map(([name, value]): [string, string] => [parameter(name), String(value)]),
      )
      const path = `/v1/sagas?${query}`
      const { sagas, next } = await ask<{ sagas: SagaSummary[]; next: string | null }>(
        connectionOf({ url, key }),
        'GET',
        path,
      )
      if (json) for (const saga of sagas) print(JSON.stringify(saga))
      else print(table(['id', 'name', 'version', 'status', 'startedAt', 'endedAt', 'problem'], rowsOf(sagas)))
      if (next !== null && !json) print(`There may be more: --before ${next}`)
    })
  return examples(
    withConnection(command),
    'splitstream sagas list --problem',
    'splitstream sagas list --name order --status needs_attention',
    'splitstream sagas list --started-by "/shop order-17"',
  )
}

const rowsOf = (list: readonly object[]) => list.map((one) => ({ ...one }) as Record<string, unknown>)

export function showCommand(): Command {
  const command = new Command('show')
    .description('Show a saga: its steps, and what it waits for')
    .argument('<id>', 'as the list shows it')
    .option('--json', "print the server's answer as it is")
    .action(async (id: string, o: SagaOptions) => {
      const saga = await ask<SagaDetail>(connectionOf(o), 'GET', pathOf(id))
      print(o.json ? JSON.stringify(saga) : sagaText(saga))
    })
  return examples(withConnection(command), 'splitstream sagas show 019ab0c4-6a5e-7c1d-9e0b-2f1f6d1c8a11')
}

export function historyCommand(): Command {
  const command = new Command('history')
    .description('Show all that happened to a saga, oldest first')
    .argument('<id>', 'as the list shows it')
    .option('--json', 'print the events as they come, one JSON object a line')
    .action(async (id: string, o: SagaOptions) => {
      const history = await historyOf(connectionOf(o), id)
      if (o.json) for (const event of history) print(JSON.stringify(event))
      else print(timeline(history))
    })
  return examples(withConnection(command), 'splitstream sagas history 019ab0c4-6a5e-7c1d-9e0b-2f1f6d1c8a11')
}

/** All of it, page by page. */
export async function historyOf(connection: Connection, id: string): Promise<HistoryEvent[]> {
  const history: HistoryEvent[] = []
  for (let after: number | null = 0; after !== null; ) {
    const path = pathOf(id, `/history?after=${after}&limit=1000`)
    const page: { history: HistoryEvent[]; next: number | null } = await ask(connection, 'GET', path)
    history.push(...page.history)
    after = page.next
  }
  return history
}

export function sagaText(saga: SagaDetail): string {
  const { id, name, version, status, startedAt, endedAt, worker } = saga
  const times = endedAt === null ? `started ${startedAt}` : `started ${startedAt}, ended ${endedAt}`
  const reasons = (['turned', 'halted'] as const).flatMap((why) => {
    const reason = saga[why]
    if (!reason) return []
    const what = why === 'turned' ? 'is undone because of' : 'needs attention because of'
    return [printable(`${what} ${reason.step ?? 'itself'}: ${reason.code}: ${reason.detail}`)]
  })
  const steps = saga.steps.map(({ undo, problem, ...step }) => ({
    ...step,
    undo: undo?.status,
    problem: undo?.problem?.detail ?? problem?.detail,
  }))
  return [
    `${name} v${version}  ${id}  ${status}`,
    `${times}${worker === null ? '' : `, run by ${worker}`}`,
    ...reasons,
    '',
    table(['id', 'kind', 'status', 'attempts', 'effect', 'undo', 'problem'], steps),
    ...(saga.waitingFor.length > 0 ? ['', 'waits for', ...saga.waitingFor.map(waitText)] : []),
    ...(saga.output === null ? [] : ['', `output: ${printable(JSON.stringify(saga.output))}`]),
  ].join('\n')
}

function waitText({ for: what, step, undo, since, until, detail, blocked, actions }: Waiting): string {
  const of = step === null ? '' : ` (${undo ? 'undo of ' : ''}${step})`
  const end = until === null ? '' : `, until ${until}`
  const why = blocked === undefined ? '' : `; ${blocked}`
  const can = actions && actions.length > 0 ? `; possible: ${actions.join(', ')}` : ''
  return printable(`  ${what}${of}: ${detail}${why}${can}; since ${since}${end}`)
}
