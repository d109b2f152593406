import { Session } from 'chdb'
import { EngineError } from './errors.ts'

/** A session runs one statement at a time; sessions of a pool run side by side on the same data. */
export class SessionPool {
  readonly #idle: Session[]
  readonly #waiting: ((session: Session) => void)[] = []
  readonly #maxWaiting: number

  constructor(path: string, size: number, connectionArgs: readonly string[], maxWaiting: number) {
    this.#maxWaiting = maxWaiting
    this.#idle = Array.from({ length: size }, () => new Session(path, { connectionArgs }))
  }

  /** Runs `use` with a session of its own. @throws EngineError TOO_MANY_SIMULTANEOUS_QUERIES when too many wait. */
  async with<T>(use: (session: Session) => Promise<T>): Promise<T> {
    const session = this.#idle.pop() ?? (await this.#wait())
    try {
      return await use(session)
    } finally {
      const next = this.#waiting.shift()
      if (next) next(session)
      else this.#idle.push(session)
    }
  }

  #wait(): Promise<Session> {
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new EngineError(202, 'TOO_MANY_SIMULTANEOUS_QUERIES', 'Too many simultaneous queries')
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  close(): void {
    for (const session of this.#idle) session.close()
  }
}
