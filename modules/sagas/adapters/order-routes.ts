import { checked, type Handler, type Route, routesOf } from '@splitstream/kernel'
import type { SagaDeps } from '../app/deps.ts'
import { orderSaga } from '../app/order-saga.ts'
import { showSaga } from '../app/show-saga.ts'
import type { Action } from '../domain/entry.ts'
import { orderOperations, orders } from './order-operations.ts'
import { parseJson } from './parse-json.ts'

/** What operators do to a saga. All of it is in the saga's history, with who did it; what was refused as well. */
export function orderRoutes(deps: SagaDeps): Route[] {
  const carryOut =
    (action: Action): Handler<typeof orderOperations.cancelSaga> =>
    async ({ params: { id }, body }, call) => {
      const input = checked(orders[action], body.length === 0 ? {} : parseJson(body), '$')
      const { order, obeyed } = await orderSaga(deps, id, { action, ...input }, call)
      const saga = await showSaga(deps, call.tenant, id)
      return { status: obeyed ? 200 : 202, json: { ...saga, order } }
    }
  return routesOf(orderOperations, {
    cancelSaga: carryOut('cancel'),
    retrySaga: carryOut('retry'),
    skipSaga: carryOut('skip'),
    resolveSaga: carryOut('resolve'),
  })
}
