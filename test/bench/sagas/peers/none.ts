/* No engine: the three calls one after the other, and nothing kept. What a crash would leave behind nobody knows. */
import { answerParent } from '../child.ts'
import type { Operation } from '../order.ts'
import { participantAt } from './call.ts'
import { listen } from './front.ts'
import type { Question } from './messages.ts'
import { orderSaga } from './order-saga.ts'

answerParent<Question>(async ({ participant, planted }) => {
  const call = participantAt(participant)
  return listen((saga, order) =>
    orderSaga(async (operation: Operation) => {
      if (operation === 'refund' && planted === 'forgets the refund') return true
      if (operation === 'charge' && planted === 'charges twice') await call(operation, order, `${saga}-again`)
      return call(operation, order, saga)
    }),
  )
})
