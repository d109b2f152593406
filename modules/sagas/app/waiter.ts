import type { Call, Clock } from '@splitstream/kernel'
import type { SagaName, Standing } from '../adapters/saga-rows.ts'
import type { End } from './ends.ts'

const nothing = (): void => undefined

/** One who waits for news of one saga (Ends), for one thing at a time. */
export class Waiter implements SagaName {
  readonly tenant: string
  readonly id: string
  /** Another who waits for the same saga. */
  next: Waiter | undefined
  readonly #clock: Clock
  readonly #remove: (waiter: Waiter) => void
  #end: End | undefined
  #turned = false
  /** Of the saga's turns that are known; undefined when only its end is news. */
  #seq: number | undefined
  /** Monotonic, ms. */
  #until = Number.POSITIVE_INFINITY
  #call: Pick<Call, 'signal'> | undefined
  #wake = nothing

  constructor(clock: Clock, tenant: string, id: string, next: Waiter | undefined, remove: (waiter: Waiter) => void) {
    this.#clock = clock
    this.tenant = tenant
    this.id = id
    this.next = next
    this.#remove = remove
  }

  /**
   * Resolves at the end of the saga, or when it needs attention; or after `ms`, or when the call is aborted.
   * @returns how it ended; undefined when its row has to be asked
   */
  async ended(ms: number, call: Pick<Call, 'signal'>): Promise<End | undefined> {
    if (!this.#end) await this.#wait(undefined, ms, call)
    return this.#end
  }

  /** Resolves when the saga has made more than `seq` turns, or perhaps has; or after `ms`, or when the call is aborted. */
  async moved(seq: number, ms: number, call: Pick<Call, 'signal'>): Promise<void> {
    if (!this.#turned) await this.#wait(seq, ms, call)
    this.#turned = false
  }

  /** Nothing is waited for any more. */
  cancel(): void {
    this.#remove(this)
  }

  /** Something is being waited for. */
  get waits(): boolean {
    return this.#wake !== nothing
  }

  tell(end: End): void {
    this.#end = end
    if (this.#seq === undefined) this.#wake()
  }

  tellTurn(): void {
    this.#turned = true
    if (this.#seq !== undefined) this.#wake()
  }

  /** How the saga stands, as its row has it; undefined when that is not known. */
  see(standing: Standing | undefined): void {
    if (!standing) return
    const news = this.#seq === undefined ? standing.stopped : standing.seq > this.#seq
    if (news) this.#wake()
  }

  /** Wakes it up when its time is over or the caller has left. */
  isOver(now: number): boolean {
    const over = now >= this.#until || this.#call?.signal.aborted === true
    if (over) this.#wake()
    return over
  }

  async #wait(seq: number | undefined, ms: number, call: Pick<Call, 'signal'>): Promise<void> {
    this.#seq = seq
    this.#until = this.#clock.monotonic() + ms
    this.#call = call
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#wake = nothing
    this.#until = Number.POSITIVE_INFINITY
    this.#call = undefined
  }
}
