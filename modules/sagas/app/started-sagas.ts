import { AppError } from '@splitstream/kernel'
import { startedByAny } from '../adapters/sagas-table.ts'
import type { SagaDeps } from './deps.ts'
import { startKey } from './start-key.ts'

export interface StartSearch {
  /** Of the definition; all of the tenant's when it is not given. */
  readonly name?: string | undefined
  /** The Idempotency-Key of a request. */
  readonly key?: string | undefined
  /** An event, `<source> <id>`. */
  readonly startedBy?: string | undefined
}

/** Definitions that are tried when none is named. */
const maxNames = 1_000
/** Spaces of an event's name at each of which the source may end: it may have some itself. */
const maxSpaces = 8

/**
 * The sagas that a request or an event has made, by what keeps it from making them twice; undefined when it is not asked for.
 * What starts sagas is kept for as long as the saga, and found without reading any.
 * @throws AppError REQUEST_INVALID without a name, when there are too many to try
 */
export async function startedSagas(
  { postgres, definitions }: Pick<SagaDeps, 'postgres' | 'definitions'>,
  tenant: string,
  { name, key, startedBy }: StartSearch,
): Promise<readonly string[] | undefined> {
  if (key === undefined && startedBy === undefined) return undefined
  // No saga has been started by both.
  if (key !== undefined && startedBy !== undefined) return []
  const names = name === undefined ? await definitions.names(tenant, maxNames + 1) : [name]
  if (names.length > maxNames) {
    const detail = `name is needed beside key and startedBy: there are more than ${maxNames} definitions`
    throw new AppError('REQUEST_INVALID', detail)
  }
  const keysOf = (saga: string): Uint8Array[] =>
    key !== undefined
      ? [startKey('request', tenant, saga, key)]
      : eventsOf(startedBy!).map(([source, id]) => startKey('event', tenant, saga, source, id))
  return await startedByAny(postgres, names.flatMap(keysOf))
}

function eventsOf(name: string): [source: string, id: string][] {
  const parts = name.split(' ')
  const spaces = Math.min(parts.length - 1, maxSpaces)
  return Array.from({ length: spaces }, (_, n) => [parts.slice(0, n + 1).join(' '), parts.slice(n + 1).join(' ')])
}
