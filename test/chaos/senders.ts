import { setTimeout as sleep } from 'node:timers/promises'
import type { Ledger } from './ledger.ts'
import { type Seeded, seeded } from './random.ts'

export interface Target {
  readonly url: string
  readonly key: string
}

interface Batch {
  readonly ids: readonly string[]
  readonly body: string
  tried: boolean
}

const sizes = [1, 1, 5, 50, 200, 1000]
const requestTimeoutMs = 15_000

/**
 * Clients that append batches of 1 to 1,000 events, each from its own source and subject, at about `rate` events/s in all.
 * A batch without an answer is sent again with the same ids (half of them) or given up; one in ten acknowledged ones is
 * sent once more, as a client that lost the answer would.
 */
export function startSenders(
  target: Target,
  ledger: Ledger,
  o: { seed: number; run: string; senders: number; rate: number },
) {
  let stopped = false
  const stats = { requests: 0, non2xx: 0, cut: 0 }
  const one = async (sender: number): Promise<void> => {
    const random = seeded(o.seed * 1000 + sender)
    for (let n = 0; !stopped; ) {
      const from = performance.now()
      const batch = make(random, o.run, sender, n)
      n += batch.ids.length
      await deliver(batch, random)
      if (!stopped && random.next() < 0.1) await post(batch)
      const pace = (batch.ids.length * o.senders * 1000) / o.rate
      await sleep(Math.max(0, pace - (performance.now() - from)))
    }
  }
  const deliver = async (batch: Batch, random: Seeded): Promise<void> => {
    for (let attempt = 0; attempt < 200; attempt++) {
      const answered = await post(batch)
      if (answered === 'done') return
      if (answered === 'cut' && random.next() < 0.5) return
      if (stopped) return
      await sleep(50)
    }
  }
  const post = async (batch: Batch): Promise<'done' | 'cut' | 'later'> => {
    const first = !batch.tried
    batch.tried = true
    stats.requests++
    let response: Response
    try {
      response = await fetch(`${target.url}/v1/events`, {
        method: 'POST',
        headers: { authorization: `Bearer ${target.key}`, 'content-type': 'application/x-ndjson' },
        body: batch.body,
        signal: AbortSignal.timeout(requestTimeoutMs),
      })
      const answer = (await response.json()) as { accepted?: number; position?: string }
      if (response.ok && answer.accepted === batch.ids.length) {
        ledger.settled(batch.ids, 'acked', answer.position)
        return 'done'
      }
    } catch {
      stats.cut++ // no answer, or half of one: the outcome is unknown, which is what the ledger says already
      return 'cut'
    }
    stats.non2xx++
    if (first) ledger.refused(batch.ids)
    return response.status >= 500 || response.status === 429 ? 'later' : 'done'
  }
  const make = (random: Seeded, run: string, sender: number, n: number): Batch => {
    const ids: string[] = []
    const lines: string[] = []
    for (let i = 0, size = random.pick(sizes); i < size; i++) {
      const id = `${sender}-${n + i}`
      const payload = `{"seq":${n + i},"value":${random.int(0, 1e9)},"text":"${'x'.repeat(random.int(0, 100))}"}`
      ids.push(id)
      ledger.sending(id, payload)
      lines.push(
        `{"id":"${id}","source":"/chaos/${run}","type":"chaos","subject":"s${sender}","time":"2026-01-01T00:00:00Z","data":${payload}}`,
      )
    }
    return { ids, body: `${lines.join('\n')}\n`, tried: false }
  }
  const running = Array.from({ length: o.senders }, (_, sender) => one(sender))
  return {
    stats,
    stop: async (): Promise<void> => {
      stopped = true
      await Promise.all(running)
    },
  }
}
