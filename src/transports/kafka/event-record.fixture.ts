import { at, dataKind, recordHeaderBytes, recordVersion } from '@splitstream/ingest/contract'

/** JSON text, or text as such. */
export type Data = string | { readonly text: string } | { readonly base64: string }

/** A record as ingest makes it, of tenant acme, of one event for each of the data. */
export function eventRecord(data: readonly Data[]): Buffer {
  const rows = data.map(rowOf)
  const header = Buffer.alloc(recordHeaderBytes(rows.length))
  header[0] = recordVersion
  header.writeUInt32LE(rows.length, 1)
  for (const [i, row] of rows.entries()) header.writeUInt32LE(row.length, 5 + 4 * i)
  return Buffer.concat([header, ...rows])
}

function rowOf(data: Data, i: number): Buffer {
  const fixed = Buffer.alloc(at.strings)
  fixed.writeBigUInt64LE(BigInt(i) + 1n, at.key)
  fixed.writeBigInt64LE(1_790_000_000_000_000n, at.time)
  fixed.writeBigInt64LE(1_790_000_000_000_001n, at.received)
  const [kind, text, type] =
    typeof data === 'string'
      ? [dataKind.json, data, '']
      : 'text' in data
        ? [dataKind.text, data.text, 'text/plain']
        : [dataKind.binary, data.base64, 'application/octet-stream']
  fixed[at.kind] = kind
  const strings = ['acme', String(i), '/test', 'test', '', type, '', '', text]
  return Buffer.concat([fixed, ...strings.flatMap((one) => [length(Buffer.byteLength(one)), Buffer.from(one)])])
}

/** LEB128. */
function length(n: number): Buffer {
  const bytes: number[] = []
  let rest = n
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80)
  return Buffer.from([...bytes, rest])
}
