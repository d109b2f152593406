import type { ErrorCode } from '@splitstream/kernel'
import { keys, type Shape } from './edge.fixture.ts'

export const json = 'Content-Type: application/json'
export const chunked = 'Transfer-Encoding: chunked'
export const item = '{"name":"x"}'
export const mib = 1 << 20
export const raw = (...lines: string[]): Buffer => Buffer.from(lines.join('\r\n'), 'latin1')
export const auth = `Authorization: Bearer ${keys.all}`
export const both = ['/v1/events', '/v1/items'] as const

/** A request that must be refused, and how. */
export interface Case {
  /** The row of the catalogue. */
  readonly b: string
  readonly name: string
  readonly send: Buffer | Shape
  readonly status: number
  readonly code: ErrorCode
  /** The connection must be closed by the server. */
  readonly closes?: boolean
  readonly header?: readonly [string, RegExp]
  /** Both lanes are tried when the shape names no target. */
  readonly targets?: readonly string[]
}
