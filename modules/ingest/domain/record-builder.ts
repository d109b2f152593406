import { at, recordHeaderBytes, recordVersion } from '../contract/index.ts'

/** Writes the rows of one record (contract/record.ts). Reused from batch to batch; `finish` hands out a copy. */
export class RecordBuilder {
  #bytes = Buffer.allocUnsafeSlow(64 << 10)
  #view = viewOf(this.#bytes)
  #end = 0
  #rowStart = 0
  #lengths = new Uint32Array(1024)
  count = 0

  /** Opens a row that will be at most `maxBytes` long. Times in microseconds. */
  beginRow(
    maxBytes: number,
    row: { keyLow: number; keyHigh: number; time: number; received: number; kind: number; flags: number },
  ): void {
    if (this.#end + maxBytes > this.#bytes.length) this.#grow(maxBytes)
    const view = this.#view
    const start = this.#end
    for (let p = start; p < start + at.key; p += 4) view.setUint32(p, 0)
    view.setUint32(start + at.key, row.keyLow, true)
    view.setUint32(start + at.key + 4, row.keyHigh, true)
    writeMicros(view, start + at.time, row.time)
    writeMicros(view, start + at.received, row.received)
    view.setUint8(start + at.kind, row.kind)
    view.setUint8(start + at.flags, row.flags)
    this.#rowStart = start
    this.#end = start + at.strings
  }

  /** Appends a string column: LEB128 length and the bytes. */
  string(source: Uint8Array, start: number, end: number): void {
    const bytes = this.#bytes
    let p = this.#end
    let length = end - start
    while (length >= 0x80) {
      bytes[p++] = (length & 0x7f) | 0x80
      length >>>= 7
    }
    bytes[p++] = length
    // A call into the runtime costs more than copying a few bytes by hand.
    if (end - start < 128) for (let i = start; i < end; i++) bytes[p++] = source[i]!
    else {
      bytes.set(source.subarray(start, end), p)
      p += end - start
    }
    this.#end = p
  }

  endRow(): void {
    if (this.count === this.#lengths.length) {
      const longer = new Uint32Array(this.count * 2)
      longer.set(this.#lengths)
      this.#lengths = longer
    }
    this.#lengths[this.count++] = this.#end - this.#rowStart
  }

  /** The record, and an empty builder again. */
  finish(): Uint8Array {
    const header = recordHeaderBytes(this.count)
    // Small ones from the pool: the log copies them into its commit.
    const record = Buffer.allocUnsafe(header + this.#end)
    record[0] = recordVersion
    record.writeUInt32LE(this.count, 1)
    for (let i = 0; i < this.count; i++) record.writeUInt32LE(this.#lengths[i]!, 5 + 4 * i)
    this.#bytes.copy(record, header, 0, this.#end)
    this.clear()
    return record
  }

  clear(): void {
    this.count = 0
    this.#end = 0
    // One giant batch should not pin its memory for ever.
    if (this.#bytes.length > 4 << 20) this.#use(Buffer.allocUnsafeSlow(64 << 10))
  }

  #grow(more: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#end + more))
    this.#bytes.copy(larger, 0, 0, this.#end)
    this.#use(larger)
  }

  #use(bytes: Buffer<ArrayBuffer>): void {
    this.#bytes = bytes
    this.#view = viewOf(bytes)
  }
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength)

/** A 64-bit integer that a double holds exactly, without making a BigInt. */
function writeMicros(view: DataView, p: number, value: number): void {
  view.setUint32(p, value >>> 0, true)
  view.setInt32(p + 4, Math.floor(value / 2 ** 32), true)
}
