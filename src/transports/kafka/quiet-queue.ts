import { createRequire } from 'node:module'

/** What kafkajs 2.2.4 keeps of the requests of one connection. */
export interface RequestQueue {
  readonly pending: readonly unknown[]
  /** Until when the broker asked for a pause, ms since 1970; -1 when it never did. */
  readonly throttledUntil: number
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}

/** Not part of kafkajs's interface; its version is fixed in package.json. */
export const { prototype: requestQueue } = createRequire(import.meta.url)(
  'kafkajs/src/network/requestQueue/index.js',
) as {
  readonly prototype: RequestQueue
}

/**
 * From its first answer on, every connection of kafkajs looks a thousand times a second whether requests wait to be sent
 * (tulios/kafkajs#1704, #1751: a timer with a negative time). With a few brokers and partitions that is most of an idle
 * process's work. Here it looks when there is something to wait for: a request, or the end of a pause.
 */
const schedule = requestQueue.scheduleCheckPendingRequests
requestQueue.scheduleCheckPendingRequests = function (this: RequestQueue): void {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this)
}
