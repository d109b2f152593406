import { createRequire } from 'node:module'

interface Runner {
  running: boolean
  fetch(nodeId: number): Promise<unknown>
}

/*
 * kafkajs 2.2.4: a consumer that is stopped while its fetchers are made anew (a broker came or went) goes on fetching. Its
 * runner, which no longer runs, then answers every fetch with "nothing" at once, so that the fetchers spin and take a core until
 * the process ends. Here such a fetch fails, which ends the fetchers; the runner sees that it has stopped, and leaves.
 * The class is not exported, so it is reached by its file: kafkajs is pinned to this version.
 */
const { prototype } = createRequire(import.meta.url)('kafkajs/src/consumer/runner.js') as { prototype: Runner }
const fetch = prototype.fetch

prototype.fetch = function (this: Runner, nodeId: number): Promise<unknown> {
  if (this.running) return fetch.call(this, nodeId)
  return Promise.reject(new Error('The consumer has stopped'))
}
