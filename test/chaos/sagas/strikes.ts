import { setTimeout as delay } from 'node:timers/promises'
import { signal } from '../processes.ts'
import type { Random } from '../random.ts'
import type { Installation, Worker } from './installation.ts'
import type { Strike } from './ledger/messages.ts'

/** Kinds of statements at which a worker can be killed, by what they do; the first that fits. */
const statements = {
  commit: /^WITH (given|moved) AS/,
  claim: /^WITH due AS/,
  'side effect': /^(INSERT INTO|DELETE FROM|UPDATE) (?!workers)|^WITH target AS/,
  'end of a transaction': /^COMMIT/,
  reading: /^SELECT/,
} as const

/** Where a worker is killed. Drawn from the seed, before anything runs. */
export type Point =
  | ({ readonly side: 'participant' } & Omit<Strike, 'orders'>)
  | {
      readonly side: 'postgres'
      readonly worker: number
      readonly statement: keyof typeof statements
      readonly nth: number
      /** Not sent; done and not heard of; heard of. `stray`: sent by a worker that is dead when Postgres gets it. */
      readonly at: 'before' | 'stray' | 'after' | 'later'
      readonly laterMs: number
    }

/** A point in the middle of a takeover. */
export function drawNext(random: Random, workers: number): Point {
  const statement = random.pick(['claim', 'commit', 'side effect'] as const)
  const at = random.pick(['before', 'stray', 'after', 'later'] as const)
  return { side: 'postgres', worker: random.int(0, workers - 1), statement, nth: random.int(1, 3), at, laterMs: 1 }
}

/** Half of the points at calls, half at statements; such as a run of some 24 sagas really comes to. */
export function drawPoint(random: Random, workers: number): Point {
  if (random.chance(0.45)) {
    const at = random.pick(['received', 'effected', 'answered'] as const)
    return { side: 'participant', at, nth: random.int(1, 70), lost: random.chance(0.5) }
  }
  const statement = random.pick([
    'commit',
    'commit',
    'commit',
    'side effect',
    'end of a transaction',
    'claim',
    'reading',
  ] as const)
  const nth =
    statement === 'commit' ? random.int(1, 14) : statement === 'reading' ? random.int(1, 10) : random.int(1, 4)
  const at = random.pick(['before', 'stray', 'after', 'later'] as const)
  return { side: 'postgres', worker: random.int(0, workers - 1), statement, nth, at, laterMs: random.int(0, 4) }
}

export interface Hit {
  readonly pid: number
  readonly worker: Worker
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
    if (worker) this.#hit = { pid: struck.pid, worker }
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
    if (pid !== undefined && !this.#hit && signal(pid, 'SIGKILL')) this.#hit = { pid, worker }
  }
}
