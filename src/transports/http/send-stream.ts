import type { ServerResponse } from 'node:http'
import { AppError } from '@splitstream/kernel'
import { envelopeOf } from '../error-envelope.ts'
import { stringify } from '../json-value.ts'
import { outcomeHeader, streamType } from './paths.ts'

/** Lines that wait for the end of the turn are written together, up to this many characters. */
const batchChars = 64 * 1024

/*
 * A stream as an answer, newline-delimited JSON. Lines:
 *
 *   [item, …]                  the next items
 *   {"end":<items in all>}     the producer is done; nothing follows
 *   {"error":<envelope>}       the producer failed; nothing follows
 *
 * A stream without one of the last two was cut. The producer is asked for an item only when the connection takes more, and
 * is told to return when the caller leaves.
 */
export async function sendStream(
  response: ServerResponse,
  items: AsyncIterable<unknown>,
  stallMs: number,
  failed: (error: unknown) => void,
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]()
  // The signal alone would do for a producer that waits; this is for one that does not listen to it.
  const leave = (): void => void endIterator(iterator)
  response.once('close', leave)
  const lines = new Lines(response, stallMs)
  let count = 0
  try {
    response.writeHead(200, [outcomeHeader, 'answer', 'Content-Type', streamType])
    response.flushHeaders()
    for (;;) {
      const { done, value } = await iterator.next()
      if (done) break
      if (response.destroyed) return leave()
      count++
      await lines.write(`[${stringify(value, 'an item of the stream')}]\n`)
    }
    lines.end(`{"end":${count}}\n`)
  } catch (error) {
    failed(error)
    lines.end(`${JSON.stringify({ error: envelopeOf(error) })}\n`)
    leave()
  } finally {
    response.off('close', leave)
  }
}

/** Tells a producer that no more is wanted. What it says to that interests nobody. */
export async function endIterator(iterator: AsyncIterator<unknown>): Promise<void> {
  try {
    await iterator.return?.()
  } catch {
    // See above.
  }
}

class Lines {
  readonly #response: ServerResponse
  readonly #stallMs: number
  #pending = ''
  #scheduled = false

  constructor(response: ServerResponse, stallMs: number) {
    this.#response = response
    this.#stallMs = stallMs
  }

  /** Resolves when the connection takes more. @throws AppError CANCELLED when it does not come to that */
  async write(line: string): Promise<void> {
    this.#pending += line
    if (this.#pending.length >= batchChars) this.#flush()
    else if (!this.#scheduled) {
      this.#scheduled = true
      setImmediate(this.#flush)
    }
    if (this.#response.writableNeedDrain) await this.#drained()
  }

  end(line: string): void {
    this.#pending += line
    this.#flush()
    this.#response.setTimeout(this.#stallMs, () => this.#response.destroy())
    this.#response.end()
  }

  readonly #flush = (): void => {
    this.#scheduled = false
    if (this.#pending !== '' && !this.#response.destroyed) this.#response.write(this.#pending)
    this.#pending = ''
  }

  #drained(): Promise<void> {
    const response = this.#response
    return new Promise((resolve, reject) => {
      const stalled = setTimeout(() => response.destroy(), this.#stallMs)
      const over = (error?: AppError): void => {
        clearTimeout(stalled)
        response.off('drain', drain).off('close', close)
        if (error) reject(error)
        else resolve()
      }
      const drain = (): void => over()
      const close = (): void => over(new AppError('CANCELLED', 'The caller went away'))
      response.once('drain', drain).once('close', close)
    })
  }
}
