import { setTimeout as delay } from 'node:timers/promises'
import { signal } from '../processes.ts'
import type { Random } from '../random.ts'
import type { Installation, Worker } from './installation.ts'
import type { Strike } from './ledger/messages.ts'

/** Kinds of statements at which a worker can be killed, by what they do; the first that fits. */
const statements = {
  commit: /^WITH (given|moved) AS/,
  claim: /^WITH due AS/,
  /** Of the sagas of a dead worker. */
  freeing: /^WITH orphan AS/,
  'handing on a lock': /^WITH next AS/,
  'own lease': /^(INSERT INTO|UPDATE) workers/,
  "others' lease": /^DELETE FROM workers/,
  'side effect': /^(INSERT INTO|DELETE FROM|UPDATE) (?!workers)|^WITH target AS/,
  'end of a transaction': /^COMMIT/,
  reading: /^SELECT/,
} as const
type StatementKind = keyof typeof statements

/** Not sent; done and not heard of; heard of. `stray`: sent by a worker that is dead when Postgres gets it. */
const positions = ['before', 'stray', 'after', 'later'] as const
const moments = ['received', 'effected', 'answered'] as const satisfies readonly Strike['at'][]

/** What a point is about; which of its kind is drawn for each run. */
type PointKind =
  | { readonly side: 'participant'; readonly at: Strike['at']; readonly undo: boolean }
  | { readonly side: 'postgres'; readonly statement: StatementKind; readonly at: (typeof positions)[number] }

/** Where a worker is killed. Drawn from the seed, before anything runs. */
export type Point =
  | ({ readonly side: 'participant' } & Omit<Strike, 'orders'>)
  | (Extract<PointKind, { side: 'postgres' }> & {
      readonly worker: number
      readonly nth: number
      readonly laterMs: number
    })

const atCalls = moments.flatMap((at) => [false, true].map((undo): PointKind => ({ side: 'participant', at, undo })))
const atStatement = (statement: StatementKind): PointKind[] =>
  positions.map((at) => ({ side: 'postgres', statement, at }))
const once = [...atCalls, ...(Object.keys(statements) as StatementKind[]).flatMap(atStatement)]

/** As they take turns from seed to seed, so that each has its share of any run: what happens most often more than once. */
const turns = [...once, ...atCalls, ...atStatement('commit'), ...atCalls]

/** In words, as kills are counted by. */
const nameOf = (kind: PointKind): string =>
  kind.side === 'participant' ? `${kind.undo ? 'undo' : 'call'} ${kind.at}` : `${kind.statement}: ${kind.at}`

/** All that a worker can be killed at. */
export const pointNames: readonly string[] = once.map(nameOf)

/** A point in the middle of a takeover. */
export function drawNext(random: Random, workers: number): Point {
  const statement = random.pick(['claim', 'commit', 'side effect', 'freeing'] as const)
  const at = random.pick(positions)
  return { side: 'postgres', worker: random.int(0, workers - 1), statement, nth: random.int(1, 3), at, laterMs: 1 }
}

/** How many a run of some 24 sagas really comes to, for each worker. */
const most: Readonly<Record<StatementKind, number>> = {
  commit: 14,
  claim: 4,
  freeing: 1,
  'handing on a lock': 1,
  'own lease': 1,
  "others' lease": 4,
  'side effect': 4,
  'end of a transaction': 4,
  reading: 10,
}

/** Of the kind whose turn it is at this seed. */
export function drawPoint(random: Random, workers: number, seed: number): Point {
  const kind = turns[seed % turns.length]!
  if (kind.side === 'participant') {
    const nth = kind.undo ? random.int(1, 8) : random.int(1, 60)
    return { ...kind, nth, lost: random.chance(0.5) }
  }
  const nth = random.int(1, most[kind.statement])
  return { ...kind, worker: random.int(0, workers - 1), nth, laterMs: random.int(0, 4) }
}

export interface Hit {
  readonly pid: number
  readonly worker: Worker
  /** One of `pointNames`. */
  readonly at: string
}

/** Kills exactly one worker at one point of a run. Nothing in the product knows of it. */
export class Striking {
  readonly #installation: Installation
  readonly #point: Point
  readonly #victim: Worker | undefined
  #count = 0
  #hit: Hit | undefined

  private constructor(installation: Installation, point: Point) {
    this.#installation = installation
    this.#point = point
    this.#victim = point.side === 'postgres' ? installation.alive[point.worker % installation.alive.length] : undefined
  }

  static async arm(installation: Installation, point: Point, orders: string): Promise<Striking> {
    const striking = new Striking(installation, point)
    if (point.side === 'participant') await installation.ledger.strike({ orders, ...point })
    else if (striking.#victim) striking.#victim.proxy.intercept = (sql) => striking.#interception(sql)
    return striking
  }

  /** The worker that was killed, and as which process. */
  async hit(): Promise<Hit | undefined> {
    if (this.#hit) return this.#hit
    const [struck] = await this.#installation.ledger.struck()
    const worker = struck && this.#installation.workers.find(({ process }) => process.pid === struck.pid)
    if (worker) this.#hit = { pid: struck.pid, worker, at: nameOf(this.#point) }
    return this.#hit
  }

  async disarm(): Promise<void> {
    if (this.#victim) this.#victim.proxy.intercept = undefined
    await this.#installation.ledger.strike(undefined)
  }

  #interception(sql: string) {
    const point = this.#point
    if (point.side !== 'postgres' || this.#hit || !statements[point.statement].test(sql)) return undefined
    if (++this.#count !== point.nth) return undefined
    const kill = async (passOn: boolean): Promise<boolean> => {
      this.#kill()
      return passOn
    }
    switch (point.at) {
      case 'before':
        return { before: () => kill(false) }
      case 'stray':
        return { before: () => kill(true) }
      case 'after':
        return { after: () => kill(false) }
      case 'later':
        return { later: () => void delay(point.laterMs).then(() => this.#kill()) }
    }
  }

  #kill(): void {
    const worker = this.#victim!
    const { pid } = worker.process
    if (pid !== undefined && !this.#hit && signal(pid, 'SIGKILL')) this.#hit = { pid, worker, at: nameOf(this.#point) }
  }
}
