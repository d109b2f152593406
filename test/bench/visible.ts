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

/** Latencies, ms. A probe leaves when it is due, whatever became of those before it; one reader looks for all of them. */
async function probe(url: string, key: string, series: Series, seconds: number): Promise<number[]> {
  const reader = await Reader.open(url, key, series.fromMs)
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
    return (await reader.find(idOf(text))) - accepted
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
const idOf = (text: string): string => (JSON.parse(text) as { id: string }).id
const source = '/probes'

/** Looks at the newest probes again and again, as long as somebody waits for one. */
class Reader {
  readonly #connection: Connection
  readonly #request: Buffer
  readonly #waiting = new Map<string, { found(at: number): void; failed(error: Error): void; until: number }>()
  #looking = false

  private constructor(connection: Connection, key: string, fromMs: number) {
    this.#connection = connection
    // Without a time each look would go through the whole table for the few events of this source, on the cores of what is measured.
    const target = `/v1/events?source=${source}&from=${new Date(fromMs).toISOString()}&limit=50`
    this.#request = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${key}\r\n\r\n`)
  }

  static async open(url: string, key: string, fromMs: number): Promise<Reader> {
    return new Reader(await Connection.open(url), key, fromMs)
  }

  /** When the event was there. @throws Error when it does not come */
  find(id: string): Promise<number> {
    return new Promise((found, failed) => {
      this.#waiting.set(id, { found, failed, until: performance.now() + giveUpMs })
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
      const from = performance.now()
      const text = await this.#connection.send(this.#request).then(
        (answer) => answer.text,
        (error: unknown) => String(error),
      )
      const now = performance.now()
      for (const [id, { found, failed, until }] of this.#waiting) {
        if (text.includes(`"id":"${id}"`)) found(now)
        else if (now > until) failed(new Error(`a probe did not become visible: ${text.slice(0, 500)}`))
        else continue
        this.#waiting.delete(id)
      }
      await sleep(Math.max(0, from + lookEveryMs - performance.now()))
    }
    this.#looking = false
  }
}
