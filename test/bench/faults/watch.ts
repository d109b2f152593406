import { connectClickHouse } from '../../../src/engines/clickhouse/client.ts'
import type { EmbeddedClickHouse } from '../../../src/engines/clickhouse/embedded.ts'
import { systemCall, systemClock } from '../../../src/kernel/index.ts'

type State = 'open' | 'half-open' | 'closed'

const everyMs = 50
const never = new AbortController().signal

/** Looks all the time at the breaker of ClickHouse, as /metrics tells it, and at how many statements ClickHouse was sent. */
export class Watch {
  readonly #url: string
  readonly #engine: ReturnType<typeof connectClickHouse>
  readonly #states: { readonly at: number; readonly state: State }[] = []
  readonly #counts: { readonly at: number; readonly statements: number }[] = []
  readonly #timer: NodeJS.Timeout
  #looks = 0
  #busy = false

  /** @param engine asked without a detour */
  constructor(url: string, { url: direct, username, password }: EmbeddedClickHouse) {
    this.#url = url
    this.#engine = connectClickHouse({ url: direct, username, password, database: 'default' })
    this.#timer = setInterval(() => void this.#look(), everyMs)
  }

  /** When it was first seen so, at `from` or later. */
  first(state: State, from: number): number | undefined {
    return this.#states.find((one) => one.at >= from && one.state === state)?.at
  }

  /** Statements a second, but our own. */
  statements(from: number, to: number): number {
    const within = this.#counts.filter(({ at }) => at >= from && at <= to)
    const [first, last] = [within[0], within.at(-1)]
    if (!first || !last || first === last) return Number.NaN
    return ((last.statements - first.statements) * 1_000) / (last.at - first.at)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#engine.close()
  }

  async #look(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    try {
      await Promise.all([this.#lookAtState(), this.#looks++ % 10 === 0 ? this.#count() : undefined])
    } catch {
      // The server may be busy, or gone: there is another look.
    } finally {
      this.#busy = false
    }
  }

  async #lookAtState(): Promise<void> {
    const at = performance.now()
    const text = await (await fetch(`${this.#url}/metrics`)).text()
    const is = (name: string): boolean =>
      new RegExp(`^splitstream_dependency_breakers_${name}\\{[^}]*="clickhouse read"\\} 1$`, 'm').test(text)
    this.#states.push({ at, state: is('open') ? 'open' : is('half_open') ? 'half-open' : 'closed' })
  }

  async #count(): Promise<void> {
    const at = performance.now()
    const sql = "SELECT value AS n FROM system.events WHERE event = 'Query'"
    const [row] = await this.#engine.rows<{ n: string }>({ sql }, systemCall(systemClock, 5_000, never))
    // This statement and those before it are among them.
    this.#counts.push({ at, statements: Number(row?.n ?? Number.NaN) - this.#counts.length })
  }
}
