import type { RouteResponse } from '@splitstream/kernel'

/** A stream of server-sent events: it may go on for hours. */
export function isLive({ bytes, headers }: RouteResponse): boolean {
  if (bytes === undefined || bytes instanceof Uint8Array) return false
  for (const name in headers) {
    if (name.toLowerCase() === 'content-type') return headers[name]!.startsWith('text/event-stream')
  }
  return false
}

/**
 * The same answer, of which nothing more goes out once `check` throws: a key that was revoked is worthless for streams, too,
 * that began before.
 */
export function whileAllowed(answer: RouteResponse, check: () => void): RouteResponse {
  const source = answer.bytes as AsyncIterable<Uint8Array>
  return {
    ...answer,
    bytes: {
      [Symbol.asyncIterator]: () => {
        const iterator = source[Symbol.asyncIterator]()
        return {
          next: async () => {
            const step = await iterator.next()
            check()
            return step
          },
          return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
        }
      },
    },
  }
}
