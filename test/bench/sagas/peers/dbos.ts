/* DBOS Transact: a library in the team's own process, with everything in Postgres. */
import { answerParent } from '../child.ts'
import type { Order, Outcome } from '../order.ts'
import { requirePeer } from './cache.ts'
import { participantAt } from './call.ts'
import { listen } from './front.ts'
import type { Question } from './messages.ts'
import { orderSaga } from './order-saga.ts'

interface Dbos {
  setConfig(config: { name: string; systemDatabaseUrl: string; logLevel: string }): void
  registerWorkflow<A extends unknown[], R>(run: (...args: A) => Promise<R>, config: { name: string }): typeof run
  runStep<R>(run: () => Promise<R>, config: { name: string; retriesAllowed: boolean }): Promise<R>
  withNextWorkflowID<R>(id: string, run: () => Promise<R>): Promise<R>
  launch(): Promise<void>
}

answerParent<Question>(async ({ participant, postgres = '' }) => {
  const { DBOS } = requirePeer<{ DBOS: Dbos }>('@dbos-inc/dbos-sdk')
  const call = participantAt(participant)
  const workflow = DBOS.registerWorkflow(
    (saga: string, order: Order): Promise<Outcome> =>
      orderSaga((operation) =>
        DBOS.runStep(() => call(operation, order, saga), { name: operation, retriesAllowed: true }),
      ),
    { name: 'order' },
  )
  DBOS.setConfig({ name: 'bench', systemDatabaseUrl: postgres, logLevel: 'warn' })
  await DBOS.launch()
  return listen((saga, order) => DBOS.withNextWorkflowID(saga, () => workflow(saga, order)))
})
