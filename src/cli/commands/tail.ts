import { Command } from 'commander'
import { connectionOf, examples, integer, withConnection } from '../options.ts'
import { followEvents } from '../tail/follow.ts'
import { lineOf } from '../tail/line.ts'

interface Options {
  url: string
  key?: string
  type?: string
  source?: string
  subject?: string
  where?: string
  after?: string
  count?: number
  json?: boolean
}

/** `splitstream tail`: events as they are stored, until Ctrl-C. Exit code 0 when it is asked to end. */
export function tailCommand(): Command {
  const command = new Command('tail')
    .description('Print events as they are stored; goes on where it was when the connection is lost')
    .option('--type <type>', 'only events of this type')
    .option('--source <source>', 'only events of this source')
    .option('--subject <subject>', 'only events about this subject')
    .option('--where <conditions>', 'conditions as of GET /v1/events, such as data.total>60')
    .option('--after <position>', 'begin behind this position; default: from now on')
    .option('--count <n>', 'end after so many events', integer(1, Number.MAX_SAFE_INTEGER))
    .option('--json', 'print them whole, one JSON object a line')
    .action(tail)
  return examples(
    withConnection(command),
    'splitstream tail',
    "splitstream tail --type order --where 'data.total>60 and data.city=Ghent'",
    'splitstream tail --json | jq .data.total',
  )
}

async function tail({ url, key, count = Number.POSITIVE_INFINITY, json = false, ...rest }: Options): Promise<void> {
  const connection = connectionOf({ url, key })
  const { type, source, subject, where, after } = rest
  const given = Object.entries({ type, source, subject, where, after }).filter(([, value]) => value !== undefined)
  const end = new AbortController()
  const stop = (): void => end.abort()
  process.once('SIGINT', stop).once('SIGTERM', stop)
  // Whoever read us has enough: `tail | head`.
  process.stdout.once('error', stop)
  const say = (text: string): void => void process.stderr.write(`splitstream: ${text}\n`)
  const events = followEvents(connection, {
    parameters: Object.fromEntries(given) as Record<string, string>,
    signal: end.signal,
    lost: (why) => say(`the connection is lost (${why}); trying again`),
    back: () => say('connected again; nothing was missed'),
  })
  let left = count
  for await (const event of events) {
    await write(json ? event : lineOf(JSON.parse(event), process.stdout.columns ?? 0))
    if (--left <= 0) end.abort()
  }
}

/** Resolves when the reader took it, so that a slow one is waited for and not buffered for. */
function write(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${text}\n`, () => resolve()))
}
