import type { FileIdentity } from './checkpoint.ts'
import { type CsvOptions, openCsv } from './csv.ts'
import type { AttributeFrom, Mapping } from './mapping.ts'
import { openNdjson } from './ndjson.ts'
import { openParquet } from './parquet.ts'
import type { Source } from './source.ts'
import type { TimeUnit } from './time.ts'

export type Format = 'ndjson' | 'csv' | 'parquet'

/** What to read and how a row becomes an event; everything that is left out has a default from the file. */
export interface OpenOptions {
  readonly path: string
  /** Default: by the name's ending, .gz and .zst aside. */
  readonly format?: Format | undefined
  /** NDJSON whose lines are CloudEvents already: sent as they are. */
  readonly asIs?: boolean | undefined
  readonly type?: AttributeFrom | undefined
  readonly source?: AttributeFrom | undefined
  readonly subject?: AttributeFrom | undefined
  readonly timeFrom?: string | undefined
  readonly timeUnit?: TimeUnit | undefined
  /** Time of rows without one; by default they are sent without, and get that of their arrival. */
  readonly time?: string | undefined
  /** Columns that make the id; default: the row's number. */
  readonly idFrom?: readonly string[] | undefined
  /** What stands before the row's number in an id. */
  readonly idPrefix?: string | undefined
  readonly data?: Mapping['data'] | undefined
  readonly csv?: Partial<CsvOptions> | undefined
}

/** @throws Error when the format is unknown or the file lacks a column that the mapping names. */
export async function openFile(
  options: OpenOptions,
  file: FileIdentity,
): Promise<{ source: Source; mapping: unknown }> {
  const format = options.format ?? formatOf(options.path)
  if (options.asIs) {
    if (format !== 'ndjson') throw new Error('--as-is is for NDJSON files')
    return { source: await openNdjson(options.path, undefined), mapping: { format, asIs: true } }
  }
  const name = file.name.replace(/\.(gz|zst)$/, '').replace(/\.[^.]*$/, '')
  const mapping: Mapping = {
    type: options.type ?? { value: name },
    source: options.source ?? { value: `/files/${encodeURIComponent(name)}` },
    subject: options.subject,
    timeFrom: options.timeFrom,
    timeUnit: options.timeUnit ?? 'ms',
    defaultTime: options.time,
    id: options.idFrom ? { columns: options.idFrom } : { prefix: options.idPrefix ?? file.prefix },
    data: options.data ?? 'rest',
  }
  if (format === 'parquet') return { source: await openParquet(options.path, mapping), mapping: { format, mapping } }
  if (format === 'ndjson') return { source: await openNdjson(options.path, mapping), mapping: { format, mapping } }
  const csv: CsvOptions = { types: 'infer', relaxQuotes: false, ...options.csv }
  return { source: await openCsv(options.path, mapping, csv), mapping: { format, mapping, csv } }
}

function formatOf(path: string): Format {
  const ending = /\.([^.]+)$/.exec(path.replace(/\.(gz|zst)$/, ''))?.[1]?.toLowerCase()
  if (ending === 'parquet' || ending === 'pq') return 'parquet'
  if (ending === 'csv' || ending === 'tsv') return 'csv'
  if (ending === 'ndjson' || ending === 'jsonl') return 'ndjson'
  throw new Error(`the format of ${path} is not clear from its name: say --format ndjson, csv or parquet`)
}
