import { type Call, type Clock, checkCall, checkPosition, type Handler } from '@splitstream/kernel'
import type { FollowInput, FollowPage, StorageRead } from '@splitstream/storage/contract'
import { followEvents } from '../app/follow-events.ts'
import type { StreamPlaces } from '../app/stream-places.ts'
import { writeStream } from '../app/write-stream.ts'
import { filtersOf } from './list-parameters.ts'
import type { queryOperations } from './operations.ts'

export interface StreamRouteDeps {
  readonly storage: StorageRead
  readonly clock: Clock
  readonly places: StreamPlaces
  readonly partitions: number
  /** Told of events that were handed over. */
  sent(events: number): void
}

type Stream = typeof queryOperations.streamEvents
type StreamRequest = Parameters<Handler<Stream>>[0]

export function streamHandler(deps: StreamRouteDeps): Handler<Stream> {
  return async (request, call) => ({
    status: 200,
    // Whoever is in between keeps nothing back and changes nothing.
    headers: {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    },
    bytes: await open(deps, request, call),
  })
}

/** The stream, once it is known that there is one. @throws AppError what is wrong with the request, or storage's */
async function open(deps: StreamRouteDeps, request: StreamRequest, call: Call): Promise<AsyncIterable<Uint8Array>> {
  const input = inputOf(request, deps.partitions)
  const leave = deps.places.take(call.tenant)
  const pages = followEvents(deps, input, call)
  const close = (): void => {
    leave()
    pages.return().catch(() => undefined)
  }
  try {
    const first = await pages.next()
    // Whoever asked may have gone meanwhile, and then nobody takes the stream.
    checkCall(call, deps.clock)
    const text = writeStream(counted(first, pages, deps.sent), deps.clock, request.stopping)
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => text.next(),
        // Also when nothing was ever asked for, as for HEAD: then the generators know of nothing.
        return: async () => {
          close()
          return await text.return()
        },
      }),
    }
  } catch (error) {
    close()
    throw error
  }
}

/** Last-Event-ID, which a client sends when it comes back, wins over the `after` of its first request. */
function inputOf({ query, headers }: StreamRequest, partitions: number): FollowInput {
  const filters = filtersOf(query)
  const resume = headers['last-event-id']
  const from = typeof resume === 'string' && resume !== '' ? resume : query.after
  if (from === undefined) return { filters }
  checkPosition(from, partitions)
  // A position of an append names the partitions of its events alone: of the others it says nothing.
  return { filters, from, unnamed: from === resume ? 'all' : 'new' }
}

async function* counted(
  first: IteratorResult<FollowPage, void>,
  pages: AsyncIterator<FollowPage, void>,
  sent: (events: number) => void,
): AsyncGenerator<FollowPage, void> {
  for (let step = first; !step.done; step = await pages.next()) {
    if (step.value.events.length > 0) sent(step.value.events.length)
    yield step.value
  }
}
