import { AppError } from '@splitstream/kernel'
import type { Definitions, PublishedVersion } from '../adapters/definitions.ts'
import type { SagaDefinition } from '../domain/definition.ts'
import { type Plan, planSaga } from '../domain/plan.ts'

/** Plans in memory at most; a plan is some kilobytes. */
const maxPlans = 1_000
/** For how long the newest version of a name is taken for the newest, ms. */
const newestMs = 1_000

/** Plans by version, made when they are first needed. A version never changes, so a plan is good for ever. */
export class Plans {
  readonly #definitions: Definitions
  readonly #now: () => number
  readonly #plans = new Map<string, Plan>()
  readonly #newest = new Map<string, { readonly version: number; readonly at: number }>()

  /** @param now monotonic, ms */
  constructor(definitions: Definitions, now: () => number) {
    this.#definitions = definitions
    this.#now = now
  }

  /** @throws AppError NOT_FOUND */
  async of(tenant: string, name: string, version: number): Promise<Plan> {
    const known = this.#plans.get(keyOf(tenant, name, version))
    if (known) return known
    const found = await this.#definitions.find(tenant, name, version)
    if (!found) throw new AppError('NOT_FOUND', `There is no version ${version} of the saga ${name}`)
    return this.#keep(tenant, found)
  }

  /** The newest version, as of a second ago at most. @throws AppError NOT_FOUND, also when it is retired */
  async newest(tenant: string, name: string): Promise<Plan> {
    const key = `${tenant}\0${name}`
    const known = this.#newest.get(key)
    if (known && this.#now() - known.at < newestMs) return await this.of(tenant, name, known.version)
    const found = await this.#definitions.find(tenant, name)
    if (!found) throw new AppError('NOT_FOUND', `No saga ${name} was published: PUT /v1/saga-definitions/${name} does`)
    if (found.retiredAt)
      throw new AppError('NOT_FOUND', `The saga ${name} is retired: publish it again to start new ones`)
    if (this.#newest.size >= maxPlans) this.#newest.clear()
    this.#newest.set(key, { version: found.version, at: this.#now() })
    return this.#keep(tenant, found)
  }

  /** Something was published or retired here: what comes next shall see it. */
  forget(tenant: string, name: string): void {
    this.#newest.delete(`${tenant}\0${name}`)
  }

  #keep(tenant: string, { name, version, body }: PublishedVersion): Plan {
    const key = keyOf(tenant, name, version)
    const known = this.#plans.get(key)
    if (known) return known
    // What was published was checked.
    const plan = planSaga(name, version, JSON.parse(body) as SagaDefinition)
    if (this.#plans.size >= maxPlans) this.#plans.delete(this.#plans.keys().next().value!)
    this.#plans.set(key, plan)
    return plan
  }
}

const keyOf = (tenant: string, name: string, version: number): string => `${tenant}\0${name}\0${version}`
