import { pipeline } from 'node:stream'
import { parse } from 'csv-parse'
import { columnLines, type Mapping, RowError } from './mapping.ts'
import type { Chunk, Source } from './source.ts'
import { openText } from './text.ts'

export interface CsvOptions {
  /** Default: a comma; a tab for .tsv files. */
  readonly delimiter?: string | undefined
  /** Column names, for a file without a header row. */
  readonly columns?: readonly string[] | undefined
  /** infer: numbers, true, false and empty fields become JSON numbers, booleans and null. string: all fields are texts. */
  readonly types: 'infer' | 'string'
  /** Take a quote in the middle of a field as it is. */
  readonly relaxQuotes: boolean
}

const rowsPerChunk = 1_000

/** A CSV file (RFC 4180). The first row names the columns unless `options.columns` does. */
export async function openCsv(path: string, mapping: Mapping, options: CsvOptions): Promise<Source> {
  const file = await openText(path)
  const parser = parse({
    bom: true,
    delimiter: options.delimiter ?? (/\.tsv(\.|$)/.test(path) ? '\t' : ','),
    relax_column_count: true,
    relax_quotes: options.relaxQuotes,
    skip_empty_lines: true,
    max_record_size: 16 * 1024 * 1024,
  })
  pipeline(file.stream, parser, () => {}) // errors come out of the parser, to its reader
  const value = options.types === 'infer' ? infer : (text: string) => text
  return {
    totalRows: undefined,
    read: file.read,
    async *chunks(fromRow) {
      let names = options.columns
      let line = names && columnLines(mapping, names)
      let row = 0
      let first = 0
      let records: string[][] = []
      for await (const record of parser as AsyncIterable<string[]>) {
        if (!names || !line) {
          names = record
          line = columnLines(mapping, names)
          continue
        }
        if (row++ < fromRow) continue
        if (records.length === 0) first = row - 1
        records.push(record)
        if (records.length < rowsPerChunk) continue
        yield chunkOf(records, first, names.length, line, value)
        records = []
      }
      if (records.length > 0 && names && line) yield chunkOf(records, first, names.length, line, value)
    },
    close: async () => void file.stream.destroy(),
  }
}

function chunkOf(
  records: readonly string[][],
  firstRow: number,
  width: number,
  line: ReturnType<typeof columnLines>,
  value: (text: string) => unknown,
): Chunk {
  const raw = Array.from({ length: width }, (_, c) => records.map((record) => record[c] || null))
  const columns = raw.map((texts) => texts.map((text) => value(text ?? '')))
  return {
    firstRow,
    count: records.length,
    line: (i) => {
      const fields = records[i]?.length ?? 0
      if (fields !== width) throw new RowError(`the row has ${fields} fields, the header has ${width}`)
      return line(columns, i, firstRow + i, raw)
    },
  }
}

const number = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

/** `007` and digits that a JSON number would lose stay texts. */
function infer(text: string): unknown {
  if (text === '') return null
  if (text === 'true' || text === 'false') return text === 'true'
  const code = text.charCodeAt(0)
  if ((code === 45 || (code >= 48 && code <= 57)) && number.test(text)) {
    const parsed = Number(text)
    if (Number.isFinite(parsed) && (!Number.isInteger(parsed) || Number.isSafeInteger(parsed))) return parsed
  }
  return text
}
