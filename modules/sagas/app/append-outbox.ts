import type { IngestAppend } from '@splitstream/ingest/contract'
import { type Clock, systemCall, traceIdOf } from '@splitstream/kernel'
import type { OutboxRow, RefusedRow } from '../adapters/outbox.ts'
import { appendEmitted } from './append-emitted.ts'

const appendBudgetMs = 10_000
/** No append begins later than this in a round, ms: what was sent is soon committed, however long the outbox is. */
const roundMs = 2_000
/** The caller is heard of at least this often, ms. */
const breathMs = 1_000

/** An append that ended: with what ingest refused of its events, or with nothing known about any of them. */
export type Ended =
  | { readonly rows: readonly OutboxRow[]; readonly refused: readonly RefusedRow[] }
  | { readonly error: unknown }

export interface AppendDeps {
  readonly ingest: IngestAppend
  readonly clock: Clock
  /** Cuts the appends. */
  readonly signal: AbortSignal
}

/**
 * Sends events to ingest, by tenant, side by side. Of a tenant those of one trace together, one append after the other: an append
 * belongs to one trace. A saga is traced or not, so what it emits stays in order. After an append that fails, its tenant's
 * others wait for the next round, and so do those that would begin late.
 *
 * Yields what has ended since the last time; nothing when that was a second ago. Whoever reads no further cuts what is under way,
 * and nothing is sent after that.
 */
export async function* appendOutbox(rows: readonly OutboxRow[], deps: AppendDeps): AsyncGenerator<readonly Ended[]> {
  const { clock } = deps
  const stop = new AbortController()
  const signal = AbortSignal.any([deps.signal, stop.signal])
  const ended: Ended[] = []
  let wake = (): void => undefined
  const begun = clock.monotonic()

  async function ofTenant(tenant: string, mine: readonly OutboxRow[]): Promise<void> {
    for (const some of byTrace(mine)) {
      if (signal.aborted || clock.monotonic() - begun > roundMs) return
      const one = await append(tenant, some)
      ended.push(one)
      wake()
      if ('error' in one) return
    }
  }

  async function append(tenant: string, some: readonly [OutboxRow, ...OutboxRow[]]): Promise<Ended> {
    const call = systemCall(clock, appendBudgetMs, signal, tenant)
    const [{ traceparent }] = some
    const traced = traceparent === null ? call : { ...call, traceparent }
    return await appendEmitted(deps.ingest, some, traced).then(
      (refused) => ({ rows: some, refused }),
      (error: unknown) => ({ error }),
    )
  }

  const tenants = [...Map.groupBy(rows, ({ tenant }) => tenant)]
  let working = true
  const all = Promise.all(tenants.map(([tenant, mine]) => ofTenant(tenant, mine))).then(() => {
    working = false
    wake()
  })
  try {
    while (working || ended.length > 0) {
      if (ended.length === 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, breathMs)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
      if (working || ended.length > 0) yield ended.splice(0)
    }
  } finally {
    stop.abort()
    await all
  }
}

/** In the order of the first of each. */
function byTrace(rows: readonly OutboxRow[]): readonly [OutboxRow, ...OutboxRow[]][] {
  const groups = Map.groupBy(rows, ({ traceparent }) => traceIdOf(traceparent ?? undefined))
  return [...groups.values()] as [OutboxRow, ...OutboxRow[]][]
}
