import { isUtf8 } from 'node:buffer'
import { type Mapping, objectLines, RowError } from './mapping.ts'
import type { Chunk, Source } from './source.ts'
import { openText } from './text.ts'

/** Longest line taken, bytes. No server limit is that high; it keeps memory bounded on a file without newlines. */
const maxLine = 32 * 1024 * 1024

/** A line of the file; undefined: it is not UTF-8. */
type Line = string | undefined

/**
 * An NDJSON file. Rows are its lines that are not blank. With a mapping each line is an object whose members are the
 * columns; without one (`undefined`) the lines are CloudEvents already and go out as they are.
 */
export async function openNdjson(path: string, mapping: Mapping | undefined): Promise<Source> {
  const file = await openText(path)
  const encode = mapping && objectLines(mapping)
  return {
    totalRows: undefined,
    read: file.read,
    async *chunks(fromRow) {
      let row = 0
      for await (const lines of blocks(file.stream)) {
        const skip = Math.min(lines.length, Math.max(0, fromRow - row))
        if (skip < lines.length) yield chunkOf(lines, skip, row, encode)
        row += lines.length
      }
    },
    close: async () => void file.stream.destroy(),
  }
}

function chunkOf(lines: Line[], skip: number, row: number, encode: ReturnType<typeof objectLines> | undefined): Chunk {
  return {
    firstRow: row + skip,
    count: lines.length - skip,
    line: (i) => {
      const text = lines[skip + i]
      if (text === undefined) throw new RowError('the line is not UTF-8')
      return encode ? encode(parseObject(text), row + skip + i) : `${text}\n`
    },
  }
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new RowError(`the line is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new RowError('the line is not a JSON object')
  return value as Record<string, unknown>
}

/** The lines of the stream that are not blank, a block at a time. */
async function* blocks(stream: AsyncIterable<Buffer>): AsyncGenerator<Line[]> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of stream) {
    const end = chunk.lastIndexOf(10) + 1
    if (end === 0) {
      if (rest.length + chunk.length > maxLine) throw new Error(`a line is longer than ${maxLine} bytes`)
      rest = Buffer.concat([rest, chunk])
      continue
    }
    yield linesOf(Buffer.concat([rest, chunk.subarray(0, end)]))
    rest = Buffer.from(chunk.subarray(end))
  }
  if (rest.length > 0) yield linesOf(rest)
}

function linesOf(bytes: Buffer): Line[] {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return linesOf(bytes.subarray(3))
  if (isUtf8(bytes))
    return bytes
      .toString()
      .split('\n')
      .map(trim)
      .filter((line) => line !== '')
  const lines: Line[] = []
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(10, start)
    const end = newline < 0 ? bytes.length : newline
    const line = bytes.subarray(start, end)
    const text = isUtf8(line) ? trim(line.toString()) : undefined
    if (text !== '') lines.push(text)
    start = end + 1
  }
  return lines
}

const trim = (line: string): string => line.trim()
