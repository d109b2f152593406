import { AppError } from '@splitstream/kernel'
import { type Filter, parseInstant } from '@splitstream/storage/contract'
import type { ListRequest } from '../app/list-events.ts'
import { parseWhere } from '../domain/where.ts'

export const listParameters = ['type', 'source', 'subject', 'from', 'to', 'where', 'limit', 'cursor', 'after'] as const

const defaultLimit = 100
const maxLimit = 10_000

/** The parameters of GET /v1/events; an empty one counts as absent. @throws AppError REQUEST_INVALID */
export function readListParameters(query: Readonly<Record<string, string>>): ListRequest {
  const given = (name: (typeof listParameters)[number]): string | undefined => query[name] || undefined
  const filters = readFilters(query)
  return {
    range: { from: instant('from', given('from')), to: instant('to', given('to')) },
    filters,
    limit: readLimit(given('limit')),
    cursor: given('cursor'),
    after: given('after'),
  }
}

/** type, source, subject and where; an empty one counts as absent. @throws AppError REQUEST_INVALID */
export function readFilters(query: Readonly<Record<string, string>>): Filter[] {
  const filters: Filter[] = []
  for (const field of ['type', 'source', 'subject'] as const) {
    const value = query[field]
    if (value) filters.push({ field, op: 'eq', value })
  }
  if (query.where) {
    const result = parseWhere(query.where)
    if ('problem' in result) refuse('where', `${result.problem}, at character ${result.at + 1}`)
    filters.push(...result.filters)
  }
  return filters
}

function instant(name: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  // In a query string an unescaped + of an offset arrives as a space.
  const mended = text.replace(/ (?=\d\d:\d\d$)/, '+')
  if (parseInstant(mended) === undefined) refuse(name, 'an RFC 3339 instant is expected, such as 2001-02-03T04:05:06Z')
  return mended
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return defaultLimit
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0
  return limit >= 1 && limit <= maxLimit ? limit : refuse('limit', `a whole number from 1 to ${maxLimit} is expected`)
}

function refuse(path: string, detail: string): never {
  throw new AppError('REQUEST_INVALID', `${path}: ${detail}`, { details: { problems: [{ path, detail }] } })
}
