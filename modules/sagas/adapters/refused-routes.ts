import { AppError, checked, type Route, routesOf, type Schema } from '@splitstream/kernel'
import { discardRefused, findRefused, type RefusedDeps, replayRefused } from '../app/settle-refused.ts'
import { parseJson } from './parse-json.ts'
import type { RefusedEvent } from './refused-events.ts'
import { refusedOperations, settlings } from './refused-operations.ts'

/** Events that sagas emitted and ingest refused, over HTTP: list, look at one, send again or give up. Who did it is kept. */
export function refusedRoutes(deps: RefusedDeps): Route[] {
  return routesOf(refusedOperations, {
    listRefusedEvents: async ({ query: { before, limit, settled } }, call) => {
      if (before !== undefined && !/^\d{1,18}$/.test(before)) {
        throw new AppError('CURSOR_INVALID', 'before is the id of a refused event')
      }
      const page = await deps.refused.list(call.tenant, { settled, before, limit })
      const next = page.length === limit ? page.at(-1)!.id : null
      return { status: 200, json: { refusedEvents: page.map(viewOf), next } }
    },
    getRefusedEvent: async ({ params }, call) => ({
      status: 200,
      json: viewOf(await findRefused(deps, params.id, call)),
    }),
    replayRefusedEvent: async ({ params, body }, call) => {
      const { refused, receipt } = await replayRefused(deps, params.id, read(settlings.replay, body), call)
      return { status: 200, json: { ...viewOf(refused), receipt } }
    },
    discardRefusedEvent: async ({ params, body }, call) => {
      const { note } = read(settlings.discard, body)
      return { status: 200, json: viewOf(await discardRefused(deps, params.id, note, call)) }
    },
  })
}

const read = <T>(schema: Schema<T>, body: Uint8Array): T =>
  checked(schema, body.length === 0 ? {} : parseJson(body), '$')

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
