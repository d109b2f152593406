import {
  type Call,
  type Clock,
  covers,
  decodePosition,
  encodePosition,
  type Position,
  systemCall,
} from '@splitstream/kernel'
import { compileFollow } from '../adapters/read/compile-follow.ts'
import { type PageDeps, pageEvents, readPage } from '../adapters/read/follow-page.ts'
import type { FollowInput, FollowPage } from '../contract/index.ts'
import type { Confirmed } from './confirmed.ts'
import type { Gate } from './gate.ts'

/** A page comes at least so often, ms: an empty one says that nothing was missed, and that we are there. */
const idleMs = 10_000
/** Between two looks for new events, ms. They come in blocks, each some of STORAGE_LINGER_MS apart. */
const paceMs = 250
/** For one look, ms. */
const budgetMs = 30_000

export interface FollowDeps extends PageDeps {
  readonly confirmed: Confirmed
  /** What all followers may do in the engine at once: the rest of it is for queries and inserts. */
  readonly gate: Gate
  readonly clock: Clock
}

/**
 * Events beyond a position, as they are confirmed. It reads what lies between where it stands and what is confirmed, and
 * nothing else: below a confirmed offset no event is added, so none is missed; it goes beyond each offset once, so none is
 * doubled. It reads only when it is asked for a page, so a slow reader costs one page of memory and falls behind.
 * @throws AppError REQUEST_INVALID, POSITION_INVALID
 */
export function followEvents(deps: FollowDeps, input: FollowInput, call: Call): AsyncIterable<FollowPage> {
  // Says at once what is wrong with the filters.
  compileFollow({ tenant: call.tenant, filters: input.filters }, [])
  return pages(deps, input.filters, beginning(deps.confirmed, input), call)
}

function beginning(confirmed: Confirmed, { from, unnamed = 'all' }: FollowInput): Position {
  const now = confirmed.position()
  if (from === undefined) return now
  const given = decodePosition(from)
  confirmed.checkWithin(given)
  return unnamed === 'all' ? given : new Map([...now, ...given])
}

async function* pages(
  deps: FollowDeps,
  filters: FollowInput['filters'],
  from: Position,
  call: Call,
): AsyncGenerator<FollowPage, void> {
  const { confirmed, clock, gate } = deps
  const { signal, tenant } = call
  let at = from
  let most = pageEvents
  yield { events: [], position: encodePosition(at) }
  while (!signal.aborted) {
    await confirmed.beyond(at, idleMs, signal)
    if (signal.aborted) return
    const to = confirmed.position()
    const began = clock.monotonic()
    const look = systemCall(clock, budgetMs, signal, tenant)
    const page = await gate
      .run(() => readPage(deps, filters, { from: at, to, most }, look))
      .catch((error: unknown) => {
        if (signal.aborted) return undefined
        throw error
      })
    if (!page) return
    at = page.upTo
    most = page.most
    yield { events: page.events, position: encodePosition(at) }
    const rest = began + paceMs - clock.monotonic()
    if (rest > 0 && covers(at, to)) await clock.sleep(rest, signal).catch(() => undefined)
  }
}
