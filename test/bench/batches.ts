import { setTimeout as sleep } from 'node:timers/promises'
import { Connection, postBytes } from './connection.ts'
import type { BatchJob, BatchResult } from './job.ts'
import { batchBody } from './payload.ts'
import { eventsPerBatch } from './plan.ts'
import { Furthest, untilStored } from './stored.ts'

const mediaType = 'application/x-ndjson'
/** Pause after a refusal (503), ms. */
const pauseMs = 20

/** Builds the requests, opens the connections and warms up. The returned function is the measurement. */
export async function prepareBatches(job: BatchJob): Promise<() => Promise<BatchResult>> {
  const { series, url, key } = job
  let bodyBytes = 0
  const build = (first: number, events: number, tag: string): Buffer[] =>
    Array.from({ length: Math.ceil(events / eventsPerBatch) }, (_, b) => {
      const from = first + b * eventsPerBatch
      const body = batchBody({ ...series, tag }, from, Math.min(eventsPerBatch, first + events - from))
      bodyBytes += body.length
      return postBytes(key, mediaType, body)
    })
  const warmUp = build(0, job.warmUpEvents, `${series.tag}w`)
  bodyBytes = 0
  const requests = build(0, job.events, series.tag)
  const connections = await Connection.openMany(url, job.inFlight)
  if (warmUp.length > 0) {
    const { furthest } = await sendAll(connections, warmUp)
    await untilStored(job.queryUrl ?? url, key, furthest.position)
  }

  return async () => {
    const from = performance.now()
    const { furthest, refused } = await sendAll(connections, requests, job.rate)
    const acknowledgedMs = performance.now() - from
    await untilStored(job.queryUrl ?? url, key, furthest.position)
    const storedMs = performance.now() - from
    for (const connection of connections) connection.close()
    return { events: job.events, eventBytes: bodyBytes / job.events, acknowledgedMs, storedMs, refused }
  }
}

/** Sends the requests in order, one at a time on each connection; with a rate, none before its moment. */
async function sendAll(connections: readonly Connection[], requests: readonly Buffer[], eventsPerSecond?: number) {
  const furthest = new Furthest()
  const everyMs = eventsPerSecond === undefined ? 0 : (1000 * eventsPerBatch) / eventsPerSecond
  const from = performance.now()
  let refused = 0
  let taken = 0
  const sendSome = async (connection: Connection): Promise<void> => {
    while (taken < requests.length) {
      const n = taken++
      const early = from + n * everyMs - performance.now()
      if (early > 0) await sleep(early)
      for (;;) {
        const answer = await connection.send(requests[n]!)
        if (answer.status === 202) {
          furthest.add(answer)
          break
        }
        if (answer.status !== 503) throw new Error(`a batch was refused: ${answer.text}`)
        refused++
        await sleep(pauseMs)
      }
    }
  }
  await Promise.all(connections.map(sendSome))
  return { furthest, refused }
}
