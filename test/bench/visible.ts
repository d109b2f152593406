import { setTimeout as sleep } from 'node:timers/promises'
import { Connection, postBytes } from './connection.ts'
import { prepareLoad } from './fork.ts'
import { eventText, type Series } from './payload.ts'
import { eventsPerBatch, type Plan } from './plan.ts'
import { progress } from './progress.ts'
import { percentile } from './stats.ts'
import type { Subject } from './subject.ts'

const probeEveryMs = 200

export interface VisibleFigures {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly probes: number
  /** Events per second sent meanwhile. */
  readonly rate: number
}

/** Figure 4: under batches at `rate`, how long `?wait=stored` takes to say that a single event is visible to queries. */
export async function measureVisible(
  plan: Plan,
  fromMs: number,
  { server }: Subject,
  rate: number,
): Promise<VisibleFigures> {
  const { url, adminKey: key } = server
  const events = Math.ceil((rate * plan.visibleSeconds) / eventsPerBatch) * eventsPerBatch
  progress(`visible: building ${events} events`)
  const series = { tag: 'b', fromMs }
  const load = await prepareLoad({ kind: 'batches', url, key, series, events, warmUpEvents: 0, inFlight: 16, rate })
  progress(`visible: ${Math.round(rate)} events/s for ${plan.visibleSeconds} s, a probe every ${probeEveryMs} ms`)
  const running = load.run()
  const [result, latencies] = await Promise.all([running, probe(url, key, { tag: 'p', fromMs }, plan.visibleSeconds)])
  const p50Ms = percentile(latencies, 0.5)
  const p99Ms = percentile(latencies, 0.99)
  progress(`visible: p50 ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms`)
  return { p50Ms, p99Ms, probes: latencies.length, rate: (result.events * 1000) / result.acknowledgedMs }
}

/** Latencies, ms. A probe leaves when it is due, whatever became of those before it. */
async function probe(url: string, key: string, series: Series, seconds: number): Promise<number[]> {
  const idle: Connection[] = []
  const one = async (n: number): Promise<number> => {
    const connection = idle.pop() ?? (await Connection.open(url))
    const event = Buffer.from(eventText(series, n), 'latin1')
    const from = performance.now()
    const answer = await connection.send(postBytes(key, 'application/cloudevents+json', event, '?wait=stored'))
    const ms = performance.now() - from
    if (answer.status !== 200) throw new Error(`a probe did not become visible: ${answer.text}`)
    idle.push(connection)
    return ms
  }
  const from = performance.now()
  const probes: Promise<number>[] = []
  for (let n = 0; n * probeEveryMs < seconds * 1000; n++) {
    await sleep(Math.max(0, from + n * probeEveryMs - performance.now()))
    probes.push(one(n))
  }
  try {
    return await Promise.all(probes)
  } finally {
    for (const connection of idle) connection.close()
  }
}
