import { AppError, type Scope } from '@splitstream/kernel'
import { anonymous, type Principal } from './keys/principal.ts'

export interface Authenticator {
  /** Undefined alike for an unknown, mistyped, expired or revoked key. */
  authenticate(key: string): Principal | undefined
}

const bearer = /^Bearer +([\x21-\x7e]{1,512}) *$/i

/** @throws AppError UNAUTHENTICATED (alike for every reason) or FORBIDDEN */
export function authenticate(header: string | undefined, scope: Scope | 'public', keys: Authenticator): Principal {
  if (scope === 'public') return anonymous
  const key = header === undefined ? undefined : bearer.exec(header)?.[1]
  const principal = key === undefined ? undefined : keys.authenticate(key)
  if (!principal) throw new AppError('UNAUTHENTICATED', 'Send a valid API key: Authorization: Bearer <key>')
  if (!principal.scopes.has(scope)) throw new AppError('FORBIDDEN', `The key needs the scope ${scope}`)
  return principal
}
