import { AppError, type Route } from '@splitstream/kernel'
import { z } from 'zod'
import { discardRefused, findRefused, type RefusedDeps, replayRefused } from '../app/settle-refused.ts'
import { parseJson } from './parse-json.ts'
import { limitOf } from './query-values.ts'
import type { RefusedEvent } from './refused-events.ts'

/** As large as ingest takes an event, and more than a saga can have emitted. */
const maxBodyBytes = 2 << 20
const note = z
  .string()
  .max(1_000)
  .refine((text) => !text.includes('\0'), 'no NUL can be kept')
  .optional()
const bodies = {
  replay: z.strictObject({ event: z.json().optional(), note }),
  discard: z.strictObject({ note }),
}

/** Events that sagas emitted and ingest refused, over HTTP: list, look at one, send again or give up. Who did it is kept. */
export function refusedRoutes(deps: RefusedDeps): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/refused-events',
      scope: 'sagas',
      summary:
        'List events that sagas emitted and ingest refused, newest first; with settled=true also those dealt with',
      query: ['limit', 'before', 'settled'],
      handle: async ({ query }, call) => {
        const { before, settled } = query
        if (before !== undefined && !/^\d{1,18}$/.test(before)) {
          throw new AppError('CURSOR_INVALID', 'before is the id of a refused event')
        }
        if (settled !== undefined && settled !== 'true') throw new AppError('REQUEST_INVALID', 'settled is true')
        const limit = limitOf(query.limit)
        const page = await deps.refused.list(call.tenant, { settled: settled === 'true', before, limit })
        const next = page.length === limit ? page.at(-1)!.id : null
        return { status: 200, json: { refusedEvents: page.map(viewOf), next } }
      },
    },
    {
      method: 'GET',
      path: '/v1/refused-events/:id',
      scope: 'sagas',
      summary: 'One event that ingest refused',
      handle: async ({ params }, call) => ({
        status: 200,
        json: viewOf(await findRefused(deps, params.id ?? '', call)),
      }),
    },
    {
      method: 'POST',
      path: '/v1/refused-events/:id/replay',
      scope: 'sagas',
      summary: 'Send an event that ingest refused once more, or a mended one in its place',
      accepts: ['application/json'],
      bodyOptional: true,
      maxBodyBytes,
      handle: async ({ params, body }, call) => {
        const { refused, receipt } = await replayRefused(deps, params.id ?? '', read('replay', body), call)
        return { status: 200, json: { ...viewOf(refused), receipt } }
      },
    },
    {
      method: 'POST',
      path: '/v1/refused-events/:id/discard',
      scope: 'sagas',
      summary: 'Give an event up for good that ingest refused',
      accepts: ['application/json'],
      bodyOptional: true,
      handle: async ({ params, body }, call) => {
        const { note } = read('discard', body)
        return { status: 200, json: viewOf(await discardRefused(deps, params.id ?? '', note, call)) }
      },
    },
  ]
}

function read<K extends keyof typeof bodies>(kind: K, body: Uint8Array): z.infer<(typeof bodies)[K]> {
  const parsed = bodies[kind].safeParse(body.length === 0 ? {} : parseJson(body))
  if (parsed.success) return parsed.data as z.infer<(typeof bodies)[K]>
  const problems = parsed.error.issues.map(({ path, message }) => ({ path: ['$', ...path].join('.'), detail: message }))
  const { path, detail } = problems[0]!
  throw new AppError('REQUEST_INVALID', `${path}: ${detail}`, { details: { problems } })
}

/** The id of an emitted event is `<saga>.<step>`. */
function viewOf({ event, refusedAt, settledAt, ...rest }: RefusedEvent): object {
  const parsed = JSON.parse(event) as { readonly id?: unknown }
  const [saga, step] = String(parsed.id).split('.', 2)
  return {
    ...{ ...rest, saga, step },
    refusedAt: refusedAt.toISOString(),
    settledAt: settledAt?.toISOString() ?? null,
    event: parsed,
  }
}
