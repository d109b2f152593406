import { recordHeaderBytes, recordVersion } from './record.ts'

/** A record of rows that need not be rows. */
export function recordOf(rows: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(recordHeaderBytes(rows.length))
  header[0] = recordVersion
  header.writeUInt32LE(rows.length, 1)
  for (const [i, row] of rows.entries()) header.writeUInt32LE(row.length, 5 + 4 * i)
  return Buffer.concat([header, ...rows])
}
