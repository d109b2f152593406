/** One message of the Postgres protocol (version 3), its bytes as they came. */
export interface Message {
  /** Its first byte, as a character; '' for what comes before the protocol has types (startup). */
  readonly type: string
  readonly bytes: Buffer
}

/** Cuts a stream of one direction into messages. */
export class Messages {
  #rest: Buffer = Buffer.alloc(0)
  #untyped: boolean

  /** @param untyped the first message has no type: so begins what a client says */
  constructor(untyped: boolean) {
    this.#untyped = untyped
  }

  *cut(chunk: Buffer): Generator<Message> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    for (;;) {
      const head = this.#untyped ? 0 : 1
      if (this.#rest.length < head + 4) return
      const length = head + this.#rest.readInt32BE(head)
      if (this.#rest.length < length) return
      const bytes = this.#rest.subarray(0, length)
      this.#rest = this.#rest.subarray(length)
      const type = this.#untyped ? '' : String.fromCharCode(bytes[0]!)
      this.#untyped = false
      yield { type, bytes }
    }
  }
}

/** What a client sends between two answers: messages up to the one after which it waits. */
export interface Statement {
  readonly sql: string
  readonly bytes: readonly Buffer[]
}

/** Puts a client's messages together to statements; knows what named ones say. */
export class Statements {
  readonly #named = new Map<string, string>()
  #sql = ''
  #bytes: Buffer[] = []

  /** The statement that this message ends, if it ends one. */
  add({ type, bytes }: Message): Statement | undefined {
    this.#bytes.push(bytes)
    if (type === 'P') {
      const [name, sql] = texts(bytes, 5)
      this.#named.set(name!, sql!)
      this.#sql = sql!
    } else if (type === 'B') this.#sql = this.#named.get(texts(bytes, 5)[1]!) ?? this.#sql
    else if (type === 'Q') this.#sql = texts(bytes, 5)[0]!
    if (type !== 'S' && type !== 'Q' && type !== 'X' && type !== 'p' && type !== '') return undefined
    const statement = { sql: this.#sql.trim(), bytes: this.#bytes }
    this.#sql = ''
    this.#bytes = []
    return statement
  }
}

/** The first two strings of a message, each ended by a zero byte. */
function texts(bytes: Buffer, from: number): string[] {
  const end = bytes.indexOf(0, from)
  const next = bytes.indexOf(0, end + 1)
  return [bytes.toString('utf8', from, end), bytes.toString('utf8', end + 1, next < 0 ? bytes.length : next)]
}

/** The first column of each row of an answer, as text. */
export function firstColumn(answer: readonly Message[]): string[] {
  const rows = answer.filter(({ type }) => type === 'D')
  // Type, length of the message, number of columns; then length and bytes of each.
  return rows.map(({ bytes }) => bytes.toString('utf8', 11, 11 + Math.max(0, bytes.readInt32BE(7))))
}
