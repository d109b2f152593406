/** Some consecutive rows of a file, ready to be turned into events one by one. */
export interface Chunk {
  /** Number of the first row in the file, from 0. */
  readonly firstRow: number
  readonly count: number
  /** Row `firstRow + i` as one NDJSON line with its newline. @throws RowError when the row cannot become an event. */
  line(i: number): string
}

/** A file of rows, opened. It is read forward, a chunk at a time, so that memory is bounded whatever the file's size. */
export interface Source {
  /** Rows in the file, when the format says so. */
  readonly totalRows: number | undefined
  /** Share of the file that was read, 0 … 1, for formats that do not know their rows. */
  read(): number
  chunks(fromRow: number): AsyncIterable<Chunk>
  close(): Promise<void>
}
