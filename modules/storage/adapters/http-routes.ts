import type { IngestAppend } from '@splitstream/ingest/contract'
import { AppError, type Route } from '@splitstream/kernel'
import { z } from 'zod'
import { replayDeadLetters } from '../app/replay-dead-letters.ts'
import type { DeadLetters, DeadLetterView } from './dead-letters.ts'

const replayBody = z.strictObject({
  ids: z.array(z.string().max(64)).min(1).max(1000),
  dryRun: z.boolean().default(true),
  event: z.unknown().optional(),
})

/** Dead letters over HTTP: list, look at one, replay (a dry run unless told otherwise), delete. */
export function deadLetterRoutes(letters: DeadLetters, ingest: IngestAppend): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/dead-letters',
      scope: 'admin',
      summary: 'List events that were acknowledged and could not be stored, newest first',
      query: ['limit', 'code', 'before'],
      handle: async ({ query }, call) => {
        const limit = Number(query.limit ?? 100)
        if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
          throw new AppError('REQUEST_INVALID', 'limit is a whole number from 1 to 1000')
        }
        const page = await letters.list(call.tenant, {
          limit,
          ...(query.code !== undefined && { code: query.code }),
          ...(query.before !== undefined && { before: query.before }),
        })
        const next = page.length === limit ? page.at(-1)!.id : null
        return { status: 200, json: { deadLetters: page.map(show), next } }
      },
    },
    {
      method: 'GET',
      path: '/v1/dead-letters/:id',
      scope: 'admin',
      summary: 'One dead letter',
      handle: async ({ params }, call) => {
        const letter = await letters.get(call.tenant, params.id ?? '')
        if (!letter) throw new AppError('NOT_FOUND', 'There is no such dead letter')
        return { status: 200, json: show(letter) }
      },
    },
    {
      method: 'POST',
      path: '/v1/dead-letters/replay',
      scope: 'admin',
      summary: 'Send dead letters through ingest again; a dry run unless dryRun is false',
      accepts: ['application/json'],
      handle: async ({ body }, call) => {
        const parsed = replayBody.safeParse(parseJson(body))
        if (!parsed.success) {
          throw new AppError('REQUEST_INVALID', 'The replay request is not valid', {
            details: {
              problems: parsed.error.issues.map((i) => ({ path: ['$', ...i.path].join('.'), detail: i.message })),
            },
          })
        }
        return { status: 200, json: await replayDeadLetters({ letters, ingest }, parsed.data, call) }
      },
    },
    {
      method: 'DELETE',
      path: '/v1/dead-letters/:id',
      scope: 'admin',
      summary: 'Give a dead letter up for good',
      handle: async ({ params }, call) => {
        if (!(await letters.remove(call.tenant, params.id ?? ''))) {
          throw new AppError('NOT_FOUND', 'There is no such dead letter')
        }
        return { status: 204 }
      },
    },
  ]
}

/** The operator has seen that stored events are gone for good; until then the process is not ready. */
export function lossRoute(acknowledge: () => Promise<number>): Route {
  return {
    method: 'POST',
    path: '/v1/losses/acknowledge',
    scope: 'admin',
    operator: true,
    summary: 'Acknowledge that stored events are gone and could not be brought back from the log',
    handle: async () => ({ status: 200, json: { acknowledgedEvents: await acknowledge() } }),
  }
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'))
  } catch (error) {
    throw new AppError('BODY_MALFORMED', 'The body is not valid JSON', { cause: error })
  }
}

function show({ event, ...letter }: DeadLetterView): object {
  return { ...letter, ...bodyOf(event) }
}

/** What could not be decoded, or is no JSON, is shown as the bytes that it is. */
function bodyOf(event: Buffer): object {
  try {
    return { event: JSON.parse(event.toString()) as unknown }
  } catch {
    return { recordBase64: event.toString('base64') }
  }
}
