import { createRequire } from 'node:module'

/** What fetches for a consumer of kafkajs 2.2.4. */
export interface Runner {
  readonly running: boolean
  readonly fetchManager: { start(): Promise<void>; stop(): Promise<void> }
  fetch(nodeId: string): Promise<unknown[]>
}

/** Not part of kafkajs's interface; its version is fixed in package.json. */
export const Runner = createRequire(import.meta.url)('kafkajs/src/consumer/runner.js') as {
  new (options: unknown): Runner
  readonly prototype: Runner
}

/**
 * A consumer of kafkajs has a loop for each broker, and begins them anew when brokers come or go. When it is stopped at that
 * moment, the stop ends the old loops, and the new ones fetch nothing, over and over, without ever letting the event loop go
 * on: the process hangs (of the kind of tulios/kafkajs#1384). Here they end, and every fetch gives way once.
 */
const { fetch } = Runner.prototype
Runner.prototype.fetch = async function (this: Runner, nodeId: string): Promise<unknown[]> {
  await new Promise((resolve) => setImmediate(resolve))
  if (this.running) return await fetch.call(this, nodeId)
  // Resolves when this loop has ended, which it does for that.
  void this.fetchManager.stop()
  return []
}
