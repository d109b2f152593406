import { readFile } from 'node:fs/promises'
import { zstdDecompressSync } from 'node:zlib'
import { parquetRead } from 'hyparquet'

/** Texts as numbers into a dictionary. */
export interface Coded {
  readonly codes: Uint16Array
  readonly texts: readonly string[]
}

/** The flights, straight from the file and by none of the code that loads them: one typed array for each column. */
export interface Flights {
  readonly rows: number
  /** ms since the Unix epoch; the file's times have no zone and are taken as UTC. */
  readonly time: Float64Array
  readonly delay: Int32Array
  readonly distance: Int32Array
  readonly origin: Coded
  readonly destination: Coded
}

export const flightsPath = new URL('../../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url)

/** @throws Error when a value is missing: the questions of the test have no answer for that. */
export async function readFlights(): Promise<Flights> {
  const bytes = await readFile(flightsPath)
  const chunks: { columnName: string; columnData: ArrayLike<unknown>; rowStart: number }[] = []
  await parquetRead({
    file: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer,
    compressors: { ZSTD: (input) => zstdDecompressSync(input) },
    onChunk: (chunk) => void chunks.push(chunk),
  })
  const rows = Math.max(...chunks.map(({ rowStart, columnData }) => rowStart + columnData.length))
  const fill = (name: string, put: (row: number, value: unknown) => void): void => {
    let seen = 0
    for (const { columnName, columnData, rowStart } of chunks) {
      if (columnName !== name) continue
      for (let i = 0; i < columnData.length; i++) put(rowStart + i, columnData[i])
      seen += columnData.length
    }
    if (seen !== rows) throw new Error(`column ${name}: ${seen} values for ${rows} rows`)
  }
  const numbers = <A extends Float64Array | Int32Array>(name: string, into: A): A => {
    fill(name, (row, value) => {
      if (value === null || value === undefined) throw new Error(`column ${name}: row ${row} has no value`)
      into[row] = Number(value)
    })
    return into
  }
  const coded = (name: string): Coded => {
    const codes = new Uint16Array(rows)
    const texts: string[] = []
    const known = new Map<unknown, number>()
    fill(name, (row, value) => {
      let code = known.get(value)
      if (code === undefined) {
        if (typeof value !== 'string') throw new Error(`column ${name}: row ${row} is no text`)
        code = texts.push(value) - 1
        known.set(value, code)
      }
      codes[row] = code
    })
    return { codes, texts }
  }
  return {
    rows,
    time: numbers('date', new Float64Array(rows)),
    delay: numbers('delay', new Int32Array(rows)),
    distance: numbers('distance', new Int32Array(rows)),
    origin: coded('origin'),
    destination: coded('destination'),
  }
}
