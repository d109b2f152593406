/* The service that the Restate server calls: the team's own process, with the SDK. The server is in engines/restate.ts. */
import { createServer } from 'node:http2'
import { answerParent } from '../child.ts'
import type { Order, Outcome } from '../order.ts'
import { requirePeer } from './cache.ts'
import { participantAt } from './call.ts'
import type { Question } from './messages.ts'
import { orderSaga } from './order-saga.ts'

interface Context {
  run<R>(name: string, action: () => Promise<R>): Promise<R>
}
type Handler = (context: Context, order: Order) => Promise<{ id: string; status: Outcome }>
interface Endpoint {
  bind(service: object): Endpoint
  http2Handler(): Parameters<typeof createServer>[1]
}
interface Restate {
  service(definition: { name: string; handlers: Record<string, Handler> }): object
  endpoint(): Endpoint
}

answerParent<Question>(async ({ participant }) => {
  const restate = requirePeer<Restate>('@restatedev/restate-sdk')
  const call = participantAt(participant)
  const run: Handler = async (context, order) => ({
    id: order.order,
    status: await orderSaga((operation) => context.run(operation, () => call(operation, order, order.order))),
  })
  const service = restate.service({ name: 'order', handlers: { run } })
  const server = createServer(restate.endpoint().bind(service).http2Handler())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
})
