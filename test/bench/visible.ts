import { setTimeout as sleep } from 'node:timers/promises'
import { Connection, postBytes } from './connection.ts'
import { prepareLoad } from './fork.ts'
import { eventText, type Series } from './payload.ts'
import { eventsPerBatch, type Plan } from './plan.ts'
import { progress } from './progress.ts'
import { percentile } from './stats.ts'
import type { Subject } from './subject.ts'

const probeEveryMs = 200
const lookEveryMs = 20
const giveUpMs = 30_000

export interface VisibleFigures {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly probes: number
  /** Events per second sent meanwhile. */
  readonly rate: number
}

/** Figure 4: under batches at `rate`, how long after its 202 a single event is found by a query that waits for nothing. */
export async function measureVisible(
  plan: Plan,
  fromMs: number,
  { server }: Subject,
  rate: number,
): Promise<VisibleFigures> {
  const { url, adminKey: key } = server
  const events = Math.ceil((rate * plan.visibleSeconds) / eventsPerBatch) * eventsPerBatch
  progress(`visible: building ${events} events`)
  // As old as events are that are sent when they happen.
  const series = { tag: 'b', fromMs, everyMicros: 1e6 / rate }
  const load = await prepareLoad({ kind: 'batches', url, key, series, events, warmUpEvents: 0, inFlight: 16, rate })
  progress(`visible: ${Math.round(rate)} events/s for ${plan.visibleSeconds} s, a probe every ${probeEveryMs} ms`)
  const running = load.run()
  const [result, latencies] = await Promise.all([running, probe(url, key, fromMs, plan.visibleSeconds)])
  const p50Ms = percentile(latencies, 0.5)
  const p99Ms = percentile(latencies, 0.99)
  progress(`visible: p50 ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms`)
  return { p50Ms, p99Ms, probes: latencies.length, rate: (result.events * 1000) / result.acknowledgedMs }
}

/** Latencies, ms. A probe leaves when it is due, whatever became of those before it; one reader looks for all of them. */
async function probe(url: string, key: string, fromMs: number, seconds: number): Promise<number[]> {
  const series = { tag: 'p', fromMs, everyMicros: probeEveryMs * 1000 }
  const reader = await Reader.open(url, key)
  const idle: Connection[] = []
  const one = async (n: number): Promise<number> => {
    const connection = idle.pop() ?? (await Connection.open(url))
    const text = probeText(series, n)
    const request = postBytes(key, 'application/cloudevents+json', Buffer.from(text, 'latin1'))
    let answer = await connection.send(request)
    // Refused for now: it counts from its 202 on.
    for (let tries = 1; answer.status === 503 && tries < 10; tries++) {
      await sleep(lookEveryMs)
      answer = await connection.send(request)
    }
    const accepted = performance.now()
    if (answer.status !== 202) throw new Error(`a probe was not accepted: ${answer.text}`)
    idle.push(connection)
    return (await reader.find(text)) - accepted
  }
  const from = performance.now()
  const probes: Promise<number>[] = []
  for (let n = 0; n * probeEveryMs < seconds * 1000; n++) {
    await sleep(Math.max(0, from + n * probeEveryMs - performance.now()))
    const latency = one(n)
    latency.catch(() => undefined) // looked at below
    probes.push(latency)
  }
  try {
    return await Promise.all(probes)
  } finally {
    reader.close()
    for (const connection of idle) connection.close()
  }
}

/** Of a source of their own. */
const probeText = (series: Series, n: number): string =>
  eventText(series, n).replace(/"source":"[^"]*"/, `"source":"${source}"`)
const source = '/probes'

interface Waiting {
  /** The time of the event, as in its text. */
  readonly time: string
  readonly giveUpAt: number
  found(at: number): void
  failed(error: Error): void
}

/** Looks at the newest probes again and again, as long as somebody waits for one. */
class Reader {
  readonly #connection: Connection
  readonly #key: string
  /** By id. */
  readonly #waiting = new Map<string, Waiting>()
  #looking = false

  private constructor(connection: Connection, key: string) {
    this.#connection = connection
    this.#key = key
  }

  static async open(url: string, key: string): Promise<Reader> {
    return new Reader(await Connection.open(url), key)
  }

  /** When the event was there. @throws Error when it does not come */
  find(text: string): Promise<number> {
    const { id, time } = JSON.parse(text) as { id: string; time: string }
    return new Promise((found, failed) => {
      this.#waiting.set(id, { time, found, failed, giveUpAt: performance.now() + giveUpMs })
      void this.#look()
    })
  }

  close(): void {
    this.#connection.close()
  }

  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    while (this.#waiting.size > 0) {
      const began = performance.now()
      const text = await this.#connection.send(this.#request()).then(
        (answer) => answer.text,
        (error: unknown) => String(error),
      )
      const now = performance.now()
      for (const [id, { found, failed, giveUpAt }] of this.#waiting) {
        if (text.includes(`"id":"${id}"`)) found(now)
        else if (now > giveUpAt) failed(new Error(`a probe did not become visible: ${text.slice(0, 500)}`))
        else continue
        this.#waiting.delete(id)
      }
      await sleep(Math.max(0, began + lookEveryMs - performance.now()))
    }
    this.#looking = false
  }

  /** Without a time each look would go through the whole table for the few events of this source, on the cores of what is measured. */
  #request(): Buffer {
    const [oldest] = [...this.#waiting.values()].map(({ time }) => time).sort()
    const target = `/v1/events?source=${source}&from=${oldest}&limit=50`
    return Buffer.from(`GET ${target} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${this.#key}\r\n\r\n`)
  }
}
