/** One server-sent event, or a change of what the stream says of itself. */
export interface ServerEvent {
  /** Goes into Last-Event-ID at the next connection; undefined when this one says nothing of it. */
  readonly id: string | undefined
  /** `message` when it has no name. */
  readonly name: string
  /** Undefined: there is no event, only an id or a time to wait. */
  readonly data: string | undefined
  /** Before the next connection, ms. */
  readonly retryMs: number | undefined
}

/** A line of a stream is not kept beyond that, characters: the largest event that a server can be set to take, and some. */
const maxChars = 96 << 20

/**
 * Reads server-sent events (WHATWG HTML, 9.2.6; lines end with LF or CRLF). An event that is not whole when the stream ends is
 * dropped, as the standard says: its id was not taken either. @throws Error for a line without end
 */
export async function* serverEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent, void> {
  const decoder = new TextDecoder()
  let rest = ''
  let fields: [name: string, value: string][] = []
  for await (const chunk of bytes) {
    rest += decoder.decode(chunk, { stream: true })
    let from = 0
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', from)) {
      const line = rest.slice(from, rest[end - 1] === '\r' ? end - 1 : end)
      from = end + 1
      if (line !== '') fields.push(fieldOf(line))
      else {
        if (fields.length > 0) yield eventOf(fields)
        fields = []
      }
    }
    rest = rest.slice(from)
    if (rest.length > maxChars) throw new Error('a line of the stream does not end')
  }
}

/** A comment is a field without a name. */
function fieldOf(line: string): [string, string] {
  const colon = line.indexOf(':')
  if (colon < 0) return [line, '']
  return [line.slice(0, colon), line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)]
}

function eventOf(fields: readonly (readonly [string, string])[]): ServerEvent {
  const last = (name: string): string | undefined => fields.findLast(([field]) => field === name)?.[1]
  const data = fields.filter(([field]) => field === 'data').map(([, value]) => value)
  const retry = last('retry')
  return {
    id: last('id'),
    name: last('event') ?? 'message',
    data: data.length === 0 ? undefined : data.join('\n'),
    retryMs: retry !== undefined && /^\d+$/.test(retry) ? Number(retry) : undefined,
  }
}
