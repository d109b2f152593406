import { Command, InvalidArgumentError, Option } from 'commander'
import type { AttributeFrom } from '../load/mapping.ts'
import type { Format, OpenOptions } from '../load/open.ts'
import { loadWithProgress, summaryText } from '../load/run.ts'
import { type TimeUnit, toInstant } from '../load/time.ts'
import { connectionOf, examples, integer, names, print, withConnection } from '../options.ts'

interface Options {
  url: string
  key?: string
  format?: Format
  asIs?: boolean
  type?: string
  typeFrom?: string
  source?: string
  sourceFrom?: string
  subject?: string
  subjectFrom?: string
  timeFrom?: string
  timeUnit: TimeUnit
  time?: string
  idFrom?: string[]
  id?: string
  idPrefix?: string
  dataFrom: string[] | 'rest' | 'all'
  delimiter?: string
  columns?: string[]
  strings?: boolean
  relaxQuotes?: boolean
  batch: number
  inFlight: number
  retries: number
  timeout: number
  gzip?: boolean
  checkpoint?: string
  restart?: boolean
  wait: number
}

/** `splitstream load FILE`. */
export function loadCommand(): Command {
  const command = new Command('load')
    .description(
      'Send the rows of an NDJSON, CSV or Parquet file as events. It can be stopped and run again: it goes on where it ' +
        'stopped, and what is stored already is not stored twice',
    )
    .argument('<file>', 'the file; NDJSON and CSV may be compressed (.gz, .zst)')
  mappingOptions(command)
  sendingOptions(withConnection(command))
  command.action(run)
  return examples(
    command,
    'splitstream load orders.csv --type order --time-from created_at --id-from order_id',
    'splitstream load flights-3m.parquet --type flight --source /flights/us --subject-from origin --time-from date \\\n' +
      '      --data-from delay,distance,origin,destination',
    'splitstream load events.ndjson.gz --as-is',
  )
}

function mappingOptions(command: Command): void {
  command
    .addOption(new Option('--format <format>', "default: by the file's name").choices(['ndjson', 'csv', 'parquet']))
    .option('--as-is', 'NDJSON lines are CloudEvents already')
    .option('--type <text>', "the events' type; default: the file's name")
    .option('--type-from <column>', 'take the type from a column')
    .option('--source <uri>', "the events' source; default: /files/ and the file's name")
    .option('--source-from <column>', 'take the source from a column')
    .option('--subject <text>', "the events' subject")
    .option('--subject-from <column>', 'take the subject from a column')
    .option('--time-from <column>', 'RFC 3339, a date, or a number since 1970; without a zone it is UTC')
    .addOption(
      new Option('--time-unit <unit>', 'of times that are numbers').choices(['s', 'ms', 'us', 'ns']).default('ms'),
    )
    .option(
      '--time <instant>',
      'time of rows without one, the same whenever the file is loaded; default: that of their arrival',
      instant,
    )
    .option('--id-from <columns>', 'columns that identify a row, between commas', names)
    .addOption(new Option('--id <what>', "row: the file and the row's number (the default)").choices(['row']))
    .option(
      '--id-prefix <text>',
      "with --id row: what stands before the row's number; default: a hash of the file's name and beginning",
    )
    .addOption(
      new Option('--data-from <columns>', 'columns of data, between commas; rest: those that nothing else took; all')
        .argParser((text) => (text === 'rest' || text === 'all' ? text : names(text)))
        .default('rest'),
    )
    .option('--delimiter <text>', 'of CSV; default: a comma, a tab for .tsv')
    .option('--columns <names>', 'column names of a CSV file without a header row', names)
    .option('--strings', 'leave CSV fields as texts; default: numbers, true, false and empty fields become JSON ones')
    .option('--relax-quotes', 'take quotes in the middle of CSV fields as they are')
}

function sendingOptions(command: Command): void {
  command
    .option('--batch <n>', 'events in a request', integer(1, 50_000), 5_000)
    .option('--in-flight <n>', 'requests in flight', integer(1, 64), 4)
    .option('--retries <n>', 'times that a request is sent again before the load gives up', integer(0, 1_000), 20)
    .option('--timeout <ms>', 'without an answer for so long a request is sent again', integer(100, 600_000), 60_000)
    .option('--gzip', 'compress requests: for slow networks; on a fast one it costs more than it saves')
    .option('--checkpoint <path>', 'default: FILE.splitstream-load.json')
    .option('--restart', 'begin at the first row whatever the checkpoint says')
    .option(
      '--wait <ms>',
      'at the end, wait so long until everything is visible to queries; 0: do not',
      integer(0, 3_600_000),
      120_000,
    )
}

function instant(text: string): string {
  const value = toInstant(text, 'ms')
  if (value === undefined || Number.isNaN(Date.parse(value)))
    throw new InvalidArgumentError('It must be a date or an instant.')
  return value
}

async function run(path: string, options: Options): Promise<void> {
  if (options.id !== undefined && options.idFrom) throw new Error('--id row and --id-from exclude each other')
  const summary = await loadWithProgress({
    ...openOptions(path, options),
    ...connectionOf(options),
    batch: options.batch,
    inFlight: options.inFlight,
    retries: options.retries,
    timeoutMs: options.timeout,
    gzip: options.gzip ?? false,
    checkpoint: options.checkpoint,
    restart: options.restart ?? false,
    waitStoredMs: options.wait,
  })
  print(summaryText(summary))
  if (!summary.finished) process.exitCode = 130
  else if (summary.rejected > 0) process.exitCode = 1
}

function openOptions(path: string, options: Options): OpenOptions {
  return {
    path,
    format: options.format,
    asIs: options.asIs,
    type: from('type', options.type, options.typeFrom),
    source: from('source', options.source, options.sourceFrom),
    subject: from('subject', options.subject, options.subjectFrom),
    timeFrom: options.timeFrom,
    timeUnit: options.timeUnit,
    time: options.time,
    idFrom: options.idFrom,
    idPrefix: options.idPrefix,
    data: options.dataFrom,
    csv: {
      delimiter: options.delimiter === '\\t' ? '\t' : options.delimiter,
      columns: options.columns,
      types: options.strings ? 'string' : 'infer',
      relaxQuotes: options.relaxQuotes ?? false,
    },
  }
}

function from(name: string, value: string | undefined, column: string | undefined): AttributeFrom | undefined {
  if (value !== undefined && column !== undefined) throw new Error(`--${name} and --${name}-from exclude each other`)
  if (value !== undefined) return { value }
  return column === undefined ? undefined : { column }
}
