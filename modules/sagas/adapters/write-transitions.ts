import type { PostgresTx } from '@splitstream/kernel'
import { isStart, type Start, type Transition } from '../app/transition.ts'
import {
  moveColumns,
  startColumns,
  statement,
  statementOfMove,
  statementOfMoves,
  statementOfStart,
} from './commit-statement.ts'

interface Written {
  readonly id: string
  readonly mail: number
}

type Row<Columns> = { readonly [name in keyof Columns]: string | number | boolean | null }
type Move = Row<typeof moveColumns>
type FirstMove = Row<typeof startColumns>

/**
 * @param table the table of all sagas, or the partition that has all of these: then Postgres plans and locks only that one
 * @returns the sagas whose transition was written, each with the count of messages ever sent to it
 */
export async function writeTransitions(
  tx: PostgresTx,
  table: string,
  owner: number,
  group: readonly Transition[],
): Promise<Map<string, number>> {
  const [first, ...others] = group
  const rows = await (first && others.length === 0
    ? writeOne(tx, table, owner, first)
    : writeAll(tx, table, owner, group))
  return new Map(rows.map(({ id, mail }) => [id, mail]))
}

function writeOne(tx: PostgresTx, table: string, owner: number, one: Transition): Promise<Written[]> {
  const sql = textsOf(table)
  return isStart(one)
    ? tx.query(sql.start, [owner, ...valuesOf(startColumns, startOf(one))], `start one in ${table}`)
    : tx.query(sql.move, [owner, ...valuesOf(moveColumns, moveOf(one))], `move one in ${table}`)
}

function writeAll(tx: PostgresTx, table: string, owner: number, group: readonly Transition[]): Promise<Written[]> {
  const sql = textsOf(table)
  // Sagas are locked in the order of their ids, as everybody does who writes to several; new keys in theirs.
  const moves = group
    .filter((one) => !isStart(one))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map(moveOf)
  const starts = group
    .filter(isStart)
    .map(startOf)
    .sort((a, b) => ((a.key ?? '') < (b.key ?? '') ? -1 : 1))
  return starts.length === 0
    ? tx.query(sql.moves, [owner, JSON.stringify(moves)], `move in ${table}`)
    : tx.query(sql.all, [owner, JSON.stringify(starts), JSON.stringify(moves)], `commit to ${table}`)
}

const moveOf = (one: Transition): Move => ({ ...common(one), seq: one.seq, seen: one.mailSeen })

const startOf = (one: Start): FirstMove => {
  const { key, alias = null, event, version, name } = one
  return {
    ...{ ...common(one), alias, event, version, name },
    key: key ? `\\x${Buffer.from(key).toString('hex')}` : null,
  }
}

const common = ({ tenant, id, fence, release, endedAt, status, problem, lines }: Transition) => ({
  ...{ tenant, id, fence, status, lines },
  held: release === undefined,
  due: release?.dueAt ?? null,
  ended: endedAt,
  // Half a character, which no text of Postgres can hold.
  problem: problem?.toWellFormed() ?? null,
})

/** In the order of the columns. */
const valuesOf = <Columns extends object>(columns: Columns, row: Row<Columns>): Row<Columns>[keyof Columns][] =>
  (Object.keys(columns) as (keyof Columns)[]).map((name) => row[name])

/** Made once for each table: they are used hundreds of times a second. */
function textsOf(table: string) {
  const known = texts.get(table)
  if (known) return known
  const made = {
    ...{ all: statement(table), moves: statementOfMoves(table) },
    ...{ move: statementOfMove(table), start: statementOfStart(table) },
  }
  texts.set(table, made)
  return made
}

const texts = new Map<string, Readonly<Record<'all' | 'moves' | 'move' | 'start', string>>>()
