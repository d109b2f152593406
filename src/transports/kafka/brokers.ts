import type { Admin } from 'kafkajs'

/**
 * The addresses of the brokers: those that were given, and those that the cluster has told of since, so that a process does
 * not depend on the few that its settings name.
 */
export class Brokers {
  readonly #given: readonly string[]
  #learned: readonly string[] = []

  /** @param given host:port of some of them */
  constructor(given: readonly string[]) {
    this.#given = given
  }

  /** host:port of each, those given first. */
  get all(): readonly string[] {
    return [...new Set([...this.#given, ...this.#learned])]
  }

  /** Those that have left the cluster since are forgotten. @throws what kafkajs throws */
  async learn(admin: Pick<Admin, 'describeCluster'>): Promise<void> {
    const { brokers } = await admin.describeCluster()
    this.#learned = brokers.map(({ host, port }) => `${host}:${port}`)
  }
}
