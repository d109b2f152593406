import type { Order } from '../domain/act.ts'
import { obey } from '../domain/act.ts'
import { repeatActs } from '../domain/begin.ts'
import { endChild, undoChild } from '../domain/deliver.ts'
import type { Json } from '../domain/json.ts'
import type { SagaStatus } from '../domain/state.ts'
import { deliverEvent } from '../domain/take-event.ts'
import type { Turn } from '../domain/turn.ts'

/** What sagas are sent; kept in Postgres until they take it in. */
export type Message =
  /** The event that a step waits for. */
  | {
      readonly kind: 'event'
      readonly step: string
      /** ms since the epoch; earlier versions did not say it. */
      readonly received?: number
      readonly event: Json
    }
  /** The lock that a step waits for is free: ask again. */
  | { readonly kind: 'lock'; readonly step: string }
  | {
      readonly kind: 'child'
      readonly step: string
      readonly childId: string
      readonly as: SagaStatus
      readonly output: Json
    }
  /** From the parent: undo what you did. */
  | { readonly kind: 'undo' }
  | { readonly kind: 'order'; readonly order: Order }

/** Takes a message in. */
export function takeIn(turn: Turn, message: Message): void {
  switch (message.kind) {
    case 'event':
      return deliverEvent(turn, message.step, message.event, message.received)
    case 'child':
      return endChild(turn, message.step, message.childId, message.as, message.output)
    case 'undo':
      return undoChild(turn)
    case 'order':
      return obey(turn, message.order)
    case 'lock':
      if (turn.state.steps.get(message.step)?.status !== 'waiting') {
        turn.act({ kind: 'leave-line', step: message.step })
      }
      return repeatActs(turn)
  }
}
