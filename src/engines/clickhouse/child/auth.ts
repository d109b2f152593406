import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { EngineError } from './errors.ts'

/** The one account of the embedded engine; its password is made at each start of the parent. */
export interface Account {
  readonly username: string
  readonly password: string
}

/** By Basic, by X-ClickHouse-User and -Key, or by `user` and `password` in the URL, as the server takes them. */
export function authenticate(account: Account, request: IncomingMessage, url: URLSearchParams): void {
  const basic = /^Basic (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const user = request.headers['x-clickhouse-user']?.toString() ?? url.get('user') ?? ''
  const key = request.headers['x-clickhouse-key']?.toString() ?? url.get('password') ?? ''
  const given = basic === undefined ? `${user}:${key}` : Buffer.from(basic, 'base64').toString('utf8')
  if (timingSafeEqual(digest(given), digest(`${account.username}:${account.password}`))) return
  throw new EngineError(
    516,
    'AUTHENTICATION_FAILED',
    'Authentication failed: password is incorrect, or there is no such user',
  )
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
