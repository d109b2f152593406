import type { Findings } from '../findings.ts'
import { Random } from '../random.ts'
import { Clients } from './clients.ts'
import type { Installation } from './installation.ts'
import type { Character, Rule } from './ledger/messages.ts'
import { Looks } from './looks.ts'
import { type Kind, makeOrders, type Wanted } from './orders.ts'
import { SagaRows } from './saga-rows.ts'
import { type Expectation, verifyRun } from './verify.ts'

export interface RunOptions {
  /** Begins the names of its orders; no other run of the installation has it. */
  readonly prefix: string
  readonly seed: number
  readonly orders: number
  readonly character: Character
  readonly rules?: readonly Rule[]
  /** How many clients start sagas at the same time. */
  readonly clients?: number
  /** From the last start to the last end, ms. */
  readonly endsWithinMs: number
  /** All of them; a mix of the usual ones when not given. */
  readonly kind?: Kind
  readonly courier?: string
  readonly item?: string | undefined
  readonly only?: (wanted: Wanted) => boolean
  readonly allowed?: Pick<Expectation, 'anyEnd' | 'mayNeedAttention'>
}

/**
 * Clients start sagas, something happens meanwhile, all sagas end, and everything is held against the ledger.
 * @param meanwhile begins with the first start; the run ends with it
 */
export async function runSagas<T>(
  installation: Installation,
  o: RunOptions,
  findings: Findings,
  meanwhile: (run: { rows: SagaRows; started: Promise<void> }) => Promise<T>,
): Promise<{ ended: Record<string, number>; looks: number; meanwhile: T }> {
  const random = new Random(o.seed)
  const wanted = makeOrders(random.fork(), o.prefix, o.orders)
    .map(({ key, kind, order }) => ({
      ...{ key, kind: o.kind ?? kind },
      order: { ...order, courier: o.courier ?? order.courier, item: o.item ?? order.item },
    }))
    .filter(o.only ?? (() => true))
  await installation.ledger.behave(o.seed, o.character, o.rules)
  await using looks = new Looks(installation.ledger, findings)
  const rows = await SagaRows.since(installation)
  const clients = new Clients(installation, findings, random.fork())
  const started = clients.startAll(wanted, o.clients)
  const [result] = await Promise.all([meanwhile({ rows, started }), started])
  const { told, cancelled } = clients
  const expectation = { wanted, told, cancelled, rows, prefix: o.prefix, ...o.allowed }
  const ended = await verifyRun(installation, expectation, o.endsWithinMs, findings)
  return { ended, looks: looks.count, meanwhile: result }
}
