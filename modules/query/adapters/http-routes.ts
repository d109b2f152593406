import { isUtf8 } from 'node:buffer'
import { AppError, type Call, type Route } from '@splitstream/kernel'
import type { Filter, StorageRead } from '@splitstream/storage/contract'
import type { Cursors } from '../domain/cursor.ts'
import { question, toInput } from '../domain/question.ts'
import { parseWhere } from '../domain/where.ts'

const listParameters = ['type', 'source', 'subject', 'from', 'to', 'where', 'limit', 'cursor', 'after'] as const
const maxLimit = 10_000

export function queryRoutes(storage: StorageRead, cursors: Cursors): Route[] {
  /** Read your writes: waits until what the client was told is stored, within the budget. */
  const waitFor = async (after: string | undefined, call: Call): Promise<void> => {
    if (after !== undefined) await storage.awaitStored({ position: after }, call)
  }
  return [
    {
      method: 'GET',
      path: '/v1/events',
      scope: 'query',
      summary: 'Events, newest first',
      query: listParameters,
      handle: async ({ query }, call) => {
        const filters: Filter[] = query.where === undefined ? [] : parseWhere(query.where)
        for (const field of ['type', 'source', 'subject'] as const) {
          const value = query[field]
          if (value !== undefined) filters.push({ field, op: 'eq', value })
        }
        const { from, to, cursor, after } = query
        const asked = JSON.stringify([filters, from, to])
        await waitFor(after, call)
        const page = await storage.list(
          {
            range: { from, to },
            filters,
            limit: limitOf(query.limit),
            before: cursor === undefined ? undefined : cursors.decode(cursor, call.tenant, asked),
          },
          call,
        )
        const next = page.next && cursors.encode(page.next, call.tenant, asked)
        return { status: 200, json: { events: page.events, next, position: page.position } }
      },
    },
    {
      method: 'POST',
      path: '/v1/query',
      scope: 'query',
      summary: 'Measures over events, by dimensions and time',
      accepts: ['application/json'],
      handle: async ({ body }, call) => {
        const parsed = question.safeParse(parseJson(body))
        if (!parsed.success) {
          const problems = parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), reason: issue.message }))
          throw new AppError('REQUEST_INVALID', `${problems[0]!.path || 'the body'}: ${problems[0]!.reason}`, {
            details: { problems },
          })
        }
        await waitFor(parsed.data.after, call)
        return { status: 200, json: await storage.aggregate(toInput(parsed.data), call) }
      },
    },
  ]
}

function limitOf(text: string | undefined): number {
  const limit = text === undefined ? 100 : Number(text)
  if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit) {
    throw new AppError('REQUEST_INVALID', `limit is a whole number from 1 to ${maxLimit}`)
  }
  return limit
}

function parseJson(body: Uint8Array): unknown {
  try {
    if (!isUtf8(body)) throw new SyntaxError('not UTF-8')
    return JSON.parse(Buffer.from(body).toString('utf8'))
  } catch (error) {
    throw new AppError('BODY_MALFORMED', 'The body is not valid JSON', { cause: error })
  }
}
