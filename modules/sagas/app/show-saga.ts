import { AppError, isUuid } from '@splitstream/kernel'
import { holderOf } from '../adapters/locks.ts'
import type { WholeSagaRow } from '../adapters/saga-rows.ts'
import type { SagaDeps } from './deps.ts'
import { type HistoryEvent, historyOf } from './look/history.ts'
import { detailOf, type SagaDetail } from './look/saga-detail.ts'
import { type SeenSaga, seeSaga } from './look/seen-saga.ts'
import type { Surroundings } from './look/waiting.ts'
import { askedBy } from './look/waits.ts'

/** Locks that are looked up for one answer; a saga that waits for more at once is shown without the rest of the holders. */
const maxLocks = 50

/** A saga with its steps and with what it waits for. @throws AppError NOT_FOUND, also for another tenant's */
export async function showSaga(deps: SagaDeps, tenant: string, id: string): Promise<SagaDetail> {
  const saga = await readSaga(deps, tenant, id)
  return detailOf(saga, await surroundings(deps, saga))
}

/** Answers grow no larger than this by much, characters of JSON. */
const maxHistory = 1 << 20

export interface HistoryPage {
  readonly history: readonly HistoryEvent[]
  /** Goes to `after`; null on the last page. */
  readonly next: number | null
}

/** What happened, oldest first, behind the event number `after`. @throws AppError NOT_FOUND */
export async function showHistory(
  deps: SagaDeps,
  tenant: string,
  id: string,
  page: { readonly after: number; readonly limit: number },
): Promise<HistoryPage> {
  const all = historyOf((await readSaga(deps, tenant, id)).entries)
  let size = 0
  const history: HistoryEvent[] = []
  for (const event of all.slice(page.after, page.after + page.limit)) {
    if (size > maxHistory) break
    size += JSON.stringify(event).length
    history.push(event)
  }
  const end = page.after + history.length
  return { history, next: end < all.length ? end : null }
}

/** By its id or alias. @throws AppError NOT_FOUND */
export async function findSaga({ rows }: SagaDeps, tenant: string, id: string): Promise<WholeSagaRow> {
  const row = isUuid(id) ? await rows.find(tenant, id) : undefined
  if (!row) throw new AppError('NOT_FOUND', 'There is no such saga')
  return row
}

async function readSaga(deps: SagaDeps, tenant: string, id: string): Promise<SeenSaga> {
  const row = await findSaga(deps, tenant, id)
  return seeSaga(row, await deps.plans.of(tenant, row.name, row.version))
}

async function surroundings({ rows, postgres, worker }: SagaDeps, saga: SeenSaga): Promise<Surroundings> {
  const { tenant } = saga.row
  const { locks, children } = askedBy(saga)
  const [held, heads] = await Promise.all([
    Promise.all(locks.slice(0, maxLocks).map(async (key) => [key, await holderOf(postgres, { tenant, key })] as const)),
    rows.heads(tenant, children),
  ])
  const holders = new Map(held)
  return {
    blocked: (participant, undo) => worker.participants.blocked(tenant, participant, undo),
    holder: (key) => holders.get(key),
    child: (id) => heads.get(id),
  }
}
