import type { LogSettings, LogUnderTest, OpenLog } from './logs.ts'

/** Opens the log of the next case while the one before runs: a topic takes half a second. */
export class OneAhead {
  readonly #open: OpenLog
  #next: Promise<LogUnderTest> | undefined

  constructor(open: OpenLog) {
    this.#open = open
  }

  readonly open = (settings?: LogSettings): Promise<LogUnderTest> => {
    if (settings) return this.#begin(settings)
    const opened = this.#next ?? this.#begin()
    this.#next = this.#begin()
    return opened
  }

  /** Closes the one that no case has taken. */
  async close(): Promise<void> {
    await (await this.#next)?.close()
  }

  #begin(settings?: LogSettings): Promise<LogUnderTest> {
    const opening = this.#open(settings)
    opening.catch(() => undefined) // whoever takes it hears of it
    return opening
  }
}
