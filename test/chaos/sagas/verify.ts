import type { Findings } from '../findings.ts'
import type { Told } from './clients.ts'
import { type Installation, until } from './installation.ts'
import type { Arrival, Audit } from './ledger/messages.ts'
import { undos } from './ledger/operations.ts'
import { isRefused, kinds, type Wanted } from './orders.ts'
import { leftovers, type SagaRow, type SagaRows } from './saga-rows.ts'
import { checkFences, checkLocks, checkUndoOrder } from './verify-order.ts'

export interface Expectation extends Told {
  readonly wanted: readonly Wanted[]
  readonly rows: SagaRows
  /** Begins the names of its orders. */
  readonly prefix: string
  /** Participants misbehave: a saga may come to another end than its order says. */
  readonly anyEnd?: boolean
  /** Whether this saga may be left to people. Not when it is not given. */
  readonly mayNeedAttention?: (saga: SagaRow) => boolean
}

/** Waits until every saga has ended, and holds what was done against what was wanted. @returns how they ended */
export async function verifyRun(
  installation: Installation,
  { wanted, told, cancelled, rows, prefix, anyEnd = false, mayNeedAttention = () => false }: Expectation,
  endsWithinMs: number,
  findings: Findings,
): Promise<Record<string, number>> {
  await until(async () => (await rows.open()) === 0, endsWithinMs)
  const sagas = await rows.all()
  const left = sagas.filter((saga) => saga.status === 'needs_attention' && mayNeedAttention(saga))
  for (const saga of sagas) {
    if (saga.status === 'completed' || saga.status === 'compensated' || left.includes(saga)) continue
    // It waits for its child.
    if (left.some(({ journal }) => journal.includes(`"parent":"${saga.id}"`))) continue
    findings.add(saga.status === 'needs_attention' ? 'needs attention' : 'never ended', describe(saga))
  }
  const byId = new Map(sagas.map((saga) => [saga.known, saga]))
  const audit = await installation.ledger.audit(prefix)
  for (const wrong of audit.wrong) findings.add('at the ledger', wrong)
  checkStarts(sagas, wanted, told, findings)
  checkSagas(audit, byId, findings)
  for (const one of wanted) {
    const saga = byId.get(told.get(one.key) ?? '')
    if (saga) checkOrder(one, saga, { audit, byId, anyEnd: anyEnd || cancelled.has(one.key) }, findings)
  }
  checkUndoOrder(audit, byId, findings)
  checkFences(audit, findings)
  checkLocks(audit, findings)
  await checkLeftovers(installation, findings)
  return Object.fromEntries(
    [...Map.groupBy(sagas, ({ status }) => status)].map(([status, all]) => [status, all.length]),
  )
}

/** What was answered is there, and each key made one saga. */
function checkStarts(
  sagas: readonly SagaRow[],
  wanted: readonly Wanted[],
  told: Told['told'],
  findings: Findings,
): void {
  const mine = new Set(told.values())
  const ids = new Set(sagas.map(({ known }) => known))
  for (const { key } of wanted) {
    const id = told.get(key)
    if (id !== undefined && !ids.has(id)) findings.add('answered and lost', `${key}: ${id}`)
  }
  for (const saga of sagas) {
    if (saga.name !== 'parcel' && !mine.has(saga.known)) findings.add('a saga that nobody was told of', describe(saga))
  }
}

/** The ledger never hears of a saga that Postgres does not know. */
function checkSagas({ arrivals }: Audit, byId: ReadonlyMap<string, SagaRow>, findings: Findings): void {
  for (const [saga, [first]] of Map.groupBy(arrivals, (arrival) => arrival.saga)) {
    if (!byId.has(saga)) findings.add('a call for a saga that does not exist', JSON.stringify(first))
  }
}

interface Evidence {
  readonly audit: Audit
  readonly byId: ReadonlyMap<string, SagaRow>
  readonly anyEnd: boolean
}

function checkOrder(wanted: Wanted, saga: SagaRow, { audit, byId, anyEnd }: Evidence, findings: Findings): void {
  const mine = audit.effects.filter(({ order }) => order === wanted.order.order)
  const times = (operation: string): number => mine.filter((effect) => effect.operation === operation).length
  const tell = (kind: string): void => {
    const calls = audit.arrivals.filter(({ order }) => order === wanted.order.order)
    const sagas = new Set([saga.known, ...calls.map((call) => call.saga)])
    const rows = [...sagas].map((id) => byId.get(id)).filter((row) => row !== undefined)
    findings.add(kind, `${rows.map(describe).join('\n')}\ncalls: ${summary(calls)}\neffects: ${summary(mine)}`)
  }
  const perStep = Map.groupBy(mine, ({ saga, step, undo }) => `${saga} ${step} ${undo}`)
  if ([...perStep.values()].some(({ length }) => length > 1)) tell('an effect took place twice')
  else if (mine.some(({ operation }) => times(operation) > 1)) tell('an order had an effect twice')
  // What of its section the ledger cannot see, no check can.
  if (wanted.kind === 'locked' && mine.some(({ lock }) => lock === undefined))
    tell('a locked section without its token')
  if (times('ship') > 0 && times('refund') > 0) tell('shipped and refunded')
  const refused = isRefused(wanted)
  if (saga.status === 'completed') {
    const expected = kinds[wanted.kind].toSorted().join()
    if (
      mine
        .map(({ operation }) => operation)
        .toSorted()
        .join() !== expected
    )
      tell('completed with other effects')
    if (refused) tell('completed though it was refused')
  }
  if (saga.status === 'compensated') {
    const undone = Object.entries(undos).every(([done, undo]) => times(done) === times(undo))
    if (!undone || times('ship') + times('capture') > 0) tell('compensated and not undone')
    if (!refused && !anyEnd) tell('compensated without a reason')
  }
}

async function checkLeftovers(installation: Installation, findings: Findings): Promise<void> {
  let left: Awaited<ReturnType<typeof leftovers>> = []
  await until(async () => {
    left = await leftovers(installation)
    return left.length === 0
  }, 5_000)
  for (const { table, row } of left) findings.add(`left in ${table}`, row)
}

const summary = (calls: readonly Arrival[]): string =>
  calls
    .map(({ operation, key, fence }) => `${operation}(${key.split('.').slice(1).join('.')}, fence ${fence})`)
    .join(' ')

function describe({ id, name, status, problem, owner, fence, due_at, journal }: SagaRow): string {
  const lines = journal.split('\n').toReversed().join(' ').slice(0, 1_500)
  return `${name} ${id} ${status}, problem ${problem}, owner ${owner}, fence ${fence}, due ${due_at?.toISOString()}: ${lines}`
}
