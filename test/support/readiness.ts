import { setTimeout as delay } from 'node:timers/promises'

/** Between two questions, ms. */
const everyMs = 200

export interface Look {
  readonly ready: boolean
  /** What is down, and why; or that it does not answer. Empty: it is ready, or is starting or stopping. */
  readonly cause: string
}

interface Part {
  readonly state: string
  readonly reason?: string
}

/** Asks as an orchestrator does: no answer in time is no. */
export async function look(url: string, answerMs = 2_000): Promise<Look> {
  try {
    const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(answerMs) })
    const { parts } = (await answer.json()) as { parts: Record<string, Part> }
    const down = Object.entries(parts).flatMap(([name, { state, reason }]) =>
      state === 'down' ? [`${name}: ${reason}`] : [],
    )
    return { ready: answer.status === 200, cause: down.join(' | ') }
  } catch {
    return { ready: false, cause: 'no answer' }
  }
}

/** Asks again and again, for `ms`; everything that was not ready. */
export async function watchFor(url: string, ms: number, answerMs?: number): Promise<Look[]> {
  const red: Look[] = []
  for (const end = performance.now() + ms; performance.now() < end; await delay(everyMs)) {
    const seen = await look(url, answerMs)
    if (!seen.ready) red.push(seen)
  }
  return red
}
