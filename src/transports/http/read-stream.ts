import type { IncomingMessage } from 'node:http'
import { AppError, JoinedBytes } from '@splitstream/kernel'
import { errorOf } from '../error-envelope.ts'
import { parse } from '../json-value.ts'

export interface StreamReading {
  readonly maxLineBytes: number
  /** Why we cut the connection ourselves, if we did. */
  readonly cutBy: () => AppError | undefined
  /** Called once, when the stream is over for whatever reason. */
  readonly over: () => void
}

/**
 * The items of a stream (lines: send-stream.ts), as the caller iterates them. Reads on only when it is asked to, which
 * holds the producer back; `return` closes the connection, which stops the producer.
 */
export function readStream(response: IncomingMessage, reading: StreamReading): AsyncIterableIterator<unknown> {
  let left = false
  const lines = items(response, reading, () => left)
  const leave = (): void => {
    left = true
    if (!response.readableEnded) response.destroy()
    reading.over()
  }
  return {
    next: () => lines.next(),
    // Not the generator's own: that one does nothing before the first `next`, and waits for one that is under way.
    return: async () => {
      leave()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

async function* items(
  response: IncomingMessage,
  { maxLineBytes, cutBy, over }: StreamReading,
  left: () => boolean,
): AsyncGenerator<unknown, void> {
  const splitter = new LineSplitter(maxLineBytes)
  let last: { error?: unknown } | undefined
  let count = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      for (const line of splitter.lines(chunk)) {
        const content = parse(line, 'UNKNOWN_OUTCOME')
        if (last) throw broken('Something follows the end of the stream')
        if (Array.isArray(content)) {
          for (const item of content) {
            count++
            yield item
          }
        } else {
          last = endOf(content, count)
        }
      }
      // Not left at once: a response that is read to its end gives its connection back.
    }
  } catch (error) {
    if (left()) return
    throw cutBy() ?? (error instanceof AppError ? error : broken('The stream broke off', error))
  } finally {
    over()
  }
  if (left()) return
  if (!last) throw cutBy() ?? broken('The stream broke off')
  if (last.error !== undefined) throw errorOf(last.error)
}

function endOf(content: unknown, count: number): { error?: unknown } {
  if (typeof content === 'object' && content !== null) {
    if ('error' in content && content.error !== undefined) return { error: content.error }
    if ('end' in content && content.end === count) return {}
  }
  throw broken('The stream did not end as it should')
}

const broken = (message: string, cause?: unknown): AppError => new AppError('UNKNOWN_OUTCOME', message, { cause })

/** Cuts chunks into lines; a line may span many chunks. */
class LineSplitter {
  readonly #maxBytes: number
  readonly #line = new JoinedBytes()

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  *lines(chunk: Buffer): Generator<string, void> {
    let from = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      this.#keep(chunk.subarray(from, end))
      from = end + 1
      yield this.#line.take().toString()
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from))
  }

  #keep(part: Buffer): void {
    if (this.#line.length + part.length > this.#maxBytes) {
      throw new AppError('UNPROCESSABLE', `A line of the stream is larger than ${this.#maxBytes} bytes`)
    }
    this.#line.add(part)
  }
}
