import { AppError, type Route } from '@splitstream/kernel'
import { z } from 'zod'
import type { SagaDeps } from '../app/deps.ts'
import { orderSaga } from '../app/order-saga.ts'
import { showSaga } from '../app/show-saga.ts'
import { type Action, actions } from '../domain/entry.ts'
import { parseJson } from './parse-json.ts'

const maxOrderBytes = 65_536

const step = z.string().min(1).max(64)
const note = z.string().max(1_000).optional()

const orders = {
  cancel: {
    path: '/v1/sagas/:id/cancel',
    summary: 'Undo what a saga has done, as long as there is a way back',
    body: z.strictObject({ step: step.optional(), note }),
  },
  retry: {
    path: '/v1/sagas/:id/retry',
    summary: 'Try a step again that has failed, or its undo',
    body: z.strictObject({ step, note }),
  },
  skip: {
    path: '/v1/sagas/:id/skip',
    summary: 'Go on as if a step, or its undo, were not needed',
    body: z.strictObject({ step, note }),
  },
  resolve: {
    path: '/v1/sagas/:id/resolve',
    summary: 'Say what came of a step, or of the saga: it goes on with that',
    body: z.strictObject({ step: step.optional(), output: z.json().optional(), note }),
  },
} as const satisfies Record<Action, { path: string; summary: string; body: z.ZodType }>

/** What operators do to a saga. All of it is in the saga's history, with who did it; what was refused as well. */
export function orderRoutes(deps: SagaDeps): Route[] {
  return actions.map((action) => ({
    method: 'POST',
    path: orders[action].path,
    scope: 'sagas',
    summary: orders[action].summary,
    accepts: ['application/json'],
    bodyOptional: true,
    maxBodyBytes: maxOrderBytes,
    handle: async ({ params, body }, call) => {
      const id = params.id ?? ''
      const { order, obeyed } = await orderSaga(deps, id, { action, ...readBody(action, body) }, call)
      const saga = await showSaga(deps, call.tenant, id)
      return { status: obeyed ? 200 : 202, json: { ...saga, order } }
    },
  }))
}

function readBody(action: Action, body: Uint8Array) {
  const parsed = orders[action].body.safeParse(body.length === 0 ? {} : parseJson(body))
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => ({ path: ['$', ...path].join('.'), detail: message }))
  const { path, detail } = problems[0]!
  throw new AppError('REQUEST_INVALID', `${path}: ${detail}`, { details: { problems } })
}
