/** Of all places, kept for tenants that hold none: one at least. */
const reserve = 0.1

/** Places that tenants share: one that holds some cannot take the last ones. What has no tenant may take any. */
export class SharedPlaces {
  most: number
  readonly #byTenant = new Map<string, number>()
  #taken = 0

  constructor(most: number) {
    this.most = most
  }

  get taken(): number {
    return this.#taken
  }

  hasRoom(tenant?: string): boolean {
    const kept = tenant !== undefined && this.#byTenant.has(tenant) ? Math.max(1, Math.floor(this.most * reserve)) : 0
    return this.#taken + kept < this.most
  }

  /** Also when there is no room. */
  take(tenant?: string): void {
    this.#taken++
    if (tenant !== undefined) this.#byTenant.set(tenant, (this.#byTenant.get(tenant) ?? 0) + 1)
  }

  /** Of a `take` with the same tenant. */
  give(tenant?: string): void {
    this.#taken--
    if (tenant === undefined) return
    const held = this.#byTenant.get(tenant) ?? 0
    if (held > 1) this.#byTenant.set(tenant, held - 1)
    else this.#byTenant.delete(tenant)
  }
}
