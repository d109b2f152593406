import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Clock, Part } from '@splitstream/kernel'
import { Rounds } from './discovery/rounds.ts'

/** Between two looks at the file, ms. */
const everyMs = 10_000

/**
 * Looks at the file that CONFIG_FILE names again and again, and has the settings read when its content is another. No watch is set on
 * it: a mounted ConfigMap is changed by moving a symbolic link of its folder, which no watch of a file sees. Without a file it does nothing.
 */
export class ConfigWatch implements Part {
  readonly name = 'file of settings'
  readonly #rounds: Rounds | undefined
  #text: string | undefined

  /** @param file just read for the start: what changes from now on is seen. @param reload never throws */
  constructor(file: string | undefined, clock: Clock, reload: () => void) {
    if (file === undefined) return
    this.#text = readFileSync(file, 'utf8')
    this.#rounds = new Rounds(clock, async () => {
      await this.#look(file, reload)
      return everyMs
    })
  }

  async start(): Promise<void> {
    await this.#rounds?.start()
  }

  async stop(): Promise<void> {
    this.#rounds?.stop()
  }

  /** A file that is away, as in the middle of a change, leaves everything as it is. */
  async #look(file: string, reload: () => void): Promise<void> {
    const text = await readFile(file, 'utf8').catch(() => undefined)
    if (text === undefined || text === this.#text) return
    this.#text = text
    reload()
  }
}
