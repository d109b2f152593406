import { type FileHandle, open } from 'node:fs/promises'
import { zstdDecompressSync } from 'node:zlib'
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetRead, parquetSchema } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { columnLines, type Mapping } from './mapping.ts'
import type { Chunk, Source } from './source.ts'
import { microsToInstant } from './time.ts'

/** Node's own ZSTD is faster than the JavaScript one; everything else comes from hyparquet-compressors. */
const decompressors = { ...compressors, ZSTD: (input: Uint8Array) => zstdDecompressSync(input) }

/** Timestamps come out as RFC 3339 texts (UTC), dates as YYYY-MM-DD, once for each dictionary entry. */
const parsers = {
  timestampFromMilliseconds: (ms: bigint) => microsToInstant(Number(ms) * 1e3),
  timestampFromMicroseconds: (us: bigint) => microsToInstant(Number(us)),
  timestampFromNanoseconds: (ns: bigint) => microsToInstant(Number(ns / 1000n)),
  dateFromDays: (days: number) => microsToInstant(days * 86_400e6).slice(0, 10),
}

/** A Parquet file, a row group at a time: memory is that of one decoded row group. */
export async function openParquet(path: string, mapping: Mapping): Promise<Source> {
  const handle = await open(path)
  try {
    const file = await asyncBuffer(handle)
    const metadata = await parquetMetadataAsync(file, { parsers })
    const names = parquetSchema(metadata).children.map((child) => child.element.name)
    const line = columnLines(mapping, names)
    let done = 0
    const totalRows = Number(metadata.num_rows)
    return {
      totalRows,
      read: () => (totalRows === 0 ? 1 : done / totalRows),
      async *chunks(fromRow) {
        let start = 0
        for (const group of metadata.row_groups) {
          const end = start + Number(group.num_rows)
          if (end > fromRow) yield await groupChunk(file, metadata, names, line, Math.max(start, fromRow), start, end)
          start = done = end
        }
      },
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function groupChunk(
  file: AsyncBuffer,
  metadata: FileMetaData,
  names: readonly string[],
  line: ReturnType<typeof columnLines>,
  from: number,
  start: number,
  end: number,
): Promise<Chunk> {
  const parts = new Map<string, ArrayLike<unknown>[]>()
  await parquetRead({
    file,
    metadata,
    compressors: decompressors,
    parsers,
    rowStart: start,
    rowEnd: end,
    onChunk: ({ columnName, columnData }) => {
      const list = parts.get(columnName)
      if (list) list.push(columnData)
      else parts.set(columnName, [columnData])
    },
  })
  const columns = names.map((name) => joined(parts.get(name) ?? [], end - start, name))
  const skip = from - start
  return { firstRow: from, count: end - from, line: (i) => line(columns, skip + i, from + i) }
}

/** The pages of a column of one row group as one list. */
function joined(parts: ArrayLike<unknown>[], rows: number, name: string): ArrayLike<unknown> {
  const first = parts[0]
  const all = parts.length === 1 && first ? first : parts.flatMap((part) => Array.from(part))
  if (all.length !== rows)
    throw new Error(`column ${name} has ${all.length} values for ${rows} rows: the file is damaged`)
  return all
}

async function asyncBuffer(handle: FileHandle): Promise<AsyncBuffer> {
  const { size } = await handle.stat()
  return {
    byteLength: size,
    async slice(start, end = size) {
      const bytes = new Uint8Array(end - start)
      let filled = 0
      while (filled < bytes.length) {
        const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled)
        if (bytesRead === 0) throw new Error('the file became shorter while it was read')
        filled += bytesRead
      }
      return bytes.buffer
    },
  }
}
