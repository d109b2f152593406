import type { Quota } from '../quota/quota.ts'

/** Who a key stands for. */
export interface Principal {
  /** The id of the key. */
  readonly id: string
  readonly tenant: string
  readonly scopes: ReadonlySet<string>
  /** Manages the keys of all tenants. */
  readonly operator: boolean
  /** Of the key itself; undefined: that of the settings. */
  readonly quota?: Quota | undefined
}

export const anonymous: Principal = { id: 'anonymous', tenant: '', scopes: new Set(), operator: false }
