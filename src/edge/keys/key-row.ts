import type { Scope } from '@splitstream/kernel'
import type { Quota } from '../quota/quota.ts'
import type { LiveSecret } from './key-table.ts'

/** A key as its owner sees it: never its secret, nor its hash. */
export interface KeyView {
  readonly id: string
  readonly name: string
  readonly tenant: string
  readonly scopes: readonly Scope[]
  /** null: that of the settings. */
  readonly quota: Quota | null
  /** The beginning of the key, to recognise it by; '' for a chosen ADMIN_KEY. */
  readonly prefix: string
  readonly createdAt: string
  readonly expiresAt: string | null
  readonly revokedAt: string | null
  /** To the minute or so. */
  readonly lastUsedAt: string | null
}

/** A row of edge.api_keys. */
export interface KeyRow {
  readonly id: string
  readonly name: string
  readonly tenant: string
  readonly scopes: Scope[]
  readonly quota: Quota | null
  readonly operator: boolean
  readonly prefix: string
  readonly hash: Buffer
  readonly previous_hash: Buffer | null
  readonly previous_until: Date | null
  readonly created_at: Date
  readonly expires_at: Date | null
  readonly revoked_at: Date | null
  readonly last_used_at: Date | null
}

export function viewOf(row: KeyRow): KeyView {
  return {
    id: row.id,
    name: row.name,
    tenant: row.tenant,
    scopes: row.scopes,
    quota: row.quota,
    prefix: row.prefix,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    revokedAt: row.revoked_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
  }
}

/** The secrets of a row that work: the current one, and the one before it while its grace period lasts. */
export function secretsOf(row: KeyRow): LiveSecret[] {
  if (row.revoked_at) return []
  const { id, tenant, operator } = row
  const principal = { id, tenant, operator, scopes: new Set<string>(row.scopes), quota: row.quota ?? undefined }
  const until = row.expires_at?.getTime() ?? Number.POSITIVE_INFINITY
  const current = { hash: row.hash, principal, until }
  if (!row.previous_hash || !row.previous_until) return [current]
  return [current, { hash: row.previous_hash, principal, until: Math.min(until, row.previous_until.getTime()) }]
}
