import { Agent, type IncomingMessage, request } from 'node:http'

/** How one request ended. Times are of `performance.now()`, ms. */
export interface Outcome {
  /** When it was due: its latency counts from then. */
  readonly due: number
  readonly ms: number
  /** 0: no answer. */
  readonly status: number
  readonly stale: boolean
  /** s; undefined without the header. */
  readonly retryAfter: number | undefined
}

export interface Load {
  /** All so far, in the order of their ends. */
  readonly outcomes: readonly Outcome[]
  /** Sends no more, and waits for those under way. */
  stop(): Promise<void>
}

/**
 * Sends `rate` requests a second whatever becomes of those before (an open loop), so that what is slow cannot slow the clock.
 * @param urlOf of request n
 */
export function openLoop(rate: number, key: string, urlOf: (n: number) => string): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: 1_024 })
  const outcomes: Outcome[] = []
  const running = new Set<Promise<void>>()
  const from = performance.now()
  let sent = 0
  const send = async (due: number): Promise<void> => {
    const answer = await ask(urlOf(sent), agent, key).catch(() => undefined)
    const { statusCode = 0, headers = {} } = answer ?? {}
    outcomes.push({
      due,
      ms: performance.now() - due,
      status: statusCode,
      stale: String(headers['splitstream-degraded'] ?? '').startsWith('stale'),
      retryAfter: headers['retry-after'] === undefined ? undefined : Number(headers['retry-after']),
    })
  }
  const sendDue = (): void => {
    for (let due = from + (sent * 1_000) / rate; due <= performance.now(); due = from + (sent * 1_000) / rate) {
      const one = send(due)
      sent++
      running.add(one)
      void one.finally(() => running.delete(one))
    }
  }
  const timer = setInterval(sendDue, 1)
  return {
    outcomes,
    stop: async () => {
      clearInterval(timer)
      await Promise.all(running)
      agent.destroy()
    },
  }
}

/** Resolves when the whole answer is there. */
function ask(url: string, agent: Agent, key: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${key}` }
    const outgoing = request(url, { agent, headers, timeout: 40_000 }, (answer) => {
      answer
        .resume()
        .once('end', () => resolve(answer))
        .once('error', reject)
    })
    outgoing.once('error', reject).once('timeout', () => outgoing.destroy(new Error('no answer')))
    outgoing.end()
  })
}

export const within = (outcomes: readonly Outcome[], from: number, to: number): Outcome[] =>
  outcomes.filter(({ due }) => due >= from && due < to)
