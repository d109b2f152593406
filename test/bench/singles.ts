import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, Connection, postBytes } from './connection.ts'
import type { SingleJob, SingleResult } from './job.ts'
import { eventText } from './payload.ts'
import { cpuSeconds } from './proc.ts'
import { percentile } from './stats.ts'
import { Furthest, untilStored } from './stored.ts'

/** Requests per second that are built ahead for a closed loop: more than one core of a server can answer. */
const builtPerSecond = 30_000

/** Builds the requests and opens the connections. The returned function warms up for a fifth of the time, then measures. */
export async function prepareSingles(job: SingleJob): Promise<() => Promise<SingleResult>> {
  const { series, url, key } = job
  const warmUpMs = job.seconds * 200
  const totalMs = warmUpMs + job.seconds * 1000
  const count = Math.ceil(((job.rate ?? builtPerSecond) * totalMs) / 1000)
  const requests = Array.from({ length: count }, (_, i) =>
    postBytes(key, 'application/cloudevents+json', Buffer.from(eventText(series, i), 'latin1')),
  )
  const connections = await Connection.openMany(url, job.connections)

  return async () => {
    const furthest = new Furthest()
    const latencies: number[] = []
    const from = performance.now()
    const cpu = windowOf(job.serverPid, from + warmUpMs)
    const onAnswer = (answer: Answer, wanted: number): void => {
      if (answer.status !== 202) throw new Error(`an event was refused: ${answer.text}`)
      furthest.add(answer)
      if (wanted >= from + warmUpMs) latencies.push(performance.now() - wanted)
    }
    if (job.rate === undefined) await closedLoop(connections, requests, from + totalMs, onAnswer)
    else await openLoop(connections, requests, job.rate, onAnswer)
    const window = await cpu()
    await untilStored(job.queryUrl ?? url, key, furthest.position)
    for (const connection of connections) connection.close()
    return {
      requests: latencies.length,
      ...window,
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
    }
  }
}

type OnAnswer = (answer: Answer, wanted: number) => void

/** Reads the CPU time of the process at `start`; the returned function ends the window. */
function windowOf(pid: number, start: number) {
  const first = sleep(start - performance.now()).then(() => ({ cpu: cpuSeconds(pid), at: performance.now() }))
  return async () => {
    const { cpu, at } = await first
    return { cpuSeconds: cpuSeconds(pid) - cpu, seconds: (performance.now() - at) / 1000 }
  }
}

/** Each connection sends its next request when the one before is answered, until `end`. */
async function closedLoop(
  connections: readonly Connection[],
  requests: readonly Buffer[],
  end: number,
  onAnswer: OnAnswer,
): Promise<void> {
  let taken = 0
  const loop = async (connection: Connection): Promise<void> => {
    for (let sent = performance.now(); sent < end && taken < requests.length; sent = performance.now()) {
      onAnswer(await connection.send(requests[taken++]!), sent)
    }
  }
  await Promise.all(connections.map(loop))
}

/**
 * Request n is due at the first whole ms after n / rate, since timers step in those. Its latency counts from then on, also while
 * it waits for a late timer or a free connection: a slow server must not slow the clock down (coordinated omission).
 */
async function openLoop(
  connections: readonly Connection[],
  requests: readonly Buffer[],
  rate: number,
  onAnswer: OnAnswer,
): Promise<void> {
  const from = performance.now()
  const dueAt = (n: number): number => from + Math.ceil((n * 1000) / rate)
  const free = [...connections]
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let taken = 0
  const sendDue = (): void => {
    while (free.length > 0 && taken < requests.length && dueAt(taken) <= performance.now()) {
      const due = dueAt(taken)
      const connection = free.pop()!
      connection
        .send(requests[taken++]!)
        .then((answer) => {
          onAnswer(answer, due)
          free.push(connection)
          if (taken < requests.length) sendDue()
          else if (free.length === connections.length) resolve()
        })
        .catch(reject)
    }
  }
  const timer = setInterval(sendDue, 1)
  await promise.finally(() => clearInterval(timer))
}
