import { type Config, settings } from './config.ts'

/** Settings whose new value a running process takes over when it reads them again (SIGHUP). Others need a restart. */
export const liveSettings = [
  'LOG_LEVEL',
  'DRAIN_SECONDS',
  'MAX_IN_FLIGHT_BYTES',
  'OVERLOAD_DELAY_MS',
  'QUOTA_KEY_REQUESTS',
  'QUOTA_KEY_BYTES',
  'QUOTA_TENANT_REQUESTS',
  'QUOTA_TENANT_BYTES',
  'QUERY_MAX_ROWS',
  'QUERY_MAX_SECONDS',
  'KAFKA_SASL_USERNAME',
  'KAFKA_SASL_PASSWORD',
] as const satisfies readonly (keyof Config)[]

const live: ReadonlySet<string> = new Set(liveSettings)

/** What reading the settings again came to. */
export interface Reloaded {
  /** Settings with a new value from now on. */
  readonly changed: readonly (keyof Config)[]
  /** Settings that were changed and keep their old value until the next start. */
  readonly needRestart: readonly (keyof Config)[]
}

/**
 * The settings of a running process. Parts read a live setting from `config` each time that they need it, and have its
 * present value; a part that keeps a copy is told by `onChange`.
 */
export class LiveSettings {
  readonly config: Config
  readonly #read: () => Config
  readonly #started: Config
  readonly #listeners: ((config: Config) => void)[] = []
  #current: Config

  /** @param read reads and checks all settings. @throws ConfigError */
  constructor(read: () => Config) {
    this.#read = read
    this.#started = read()
    this.#current = this.#started
    this.config = { ...this.#started }
    for (const name of liveSettings) {
      Object.defineProperty(this.config, name, { enumerable: true, get: () => this.#current[name] })
    }
  }

  /** Called with all settings after each reload that changed a live one. */
  onChange(listener: (config: Config) => void): void {
    this.#listeners.push(listener)
  }

  /** Reads the settings again. @throws ConfigError when they are not valid: then all stay as they are */
  reload(): Reloaded {
    const next = this.#read()
    // Of the schema: one that is unset now is not among the keys of what was read.
    const names = Object.keys(settings.shape) as (keyof Config)[]
    const changed = names.filter((name) => live.has(name) && next[name] !== this.#current[name])
    const needRestart = names.filter((name) => !live.has(name) && !same(next[name], this.#started[name]))
    this.#current = next
    if (changed.length > 0) for (const listener of this.#listeners) listener(this.config)
    return { changed, needRestart }
  }
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
