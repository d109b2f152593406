import type { IncomingMessage, ServerResponse } from 'node:http'
import { startHttpProxy } from './http-proxy.fixture.ts'

/** What becomes of an answer: more parameters for the engine, or an end after so many bytes. */
export interface Breach {
  readonly parameters?: Readonly<Record<string, string>>
  readonly cut?: { readonly afterBytes: number; readonly how: 'ended' | 'reset' }
}

/** A proxy before the HTTP interface of ClickHouse that spoils the first answer to one kind of statement. */
export interface BreakingProxy {
  readonly port: number
  /** How many answers it has spoilt. */
  readonly breaches: number
  /** Spoils the answer to the next statement that begins so. */
  arm(statement: string, breach: Breach): void
  stop(): Promise<void>
}

export async function startBreakingProxy(target: string): Promise<BreakingProxy> {
  let armed: { statement: string; breach: Breach } | undefined
  let breaches = 0

  const proxy = await startHttpProxy(target, ({ url, body }) => {
    if (!armed || !body.toString('latin1').startsWith(armed.statement)) return 'whole'
    const { parameters, cut } = armed.breach
    armed = undefined
    breaches++
    for (const [name, value] of Object.entries(parameters ?? {})) url.searchParams.set(name, value)
    return cut ? (answer, outgoing) => cutOff(answer, outgoing, cut) : 'whole'
  })
  return {
    port: Number(new URL(proxy.origin).port),
    get breaches() {
      return breaches
    },
    arm: (statement, breach) => {
      armed = { statement, breach }
    },
    stop: proxy.stop,
  }
}

function cutOff(
  answer: IncomingMessage,
  outgoing: ServerResponse,
  { afterBytes, how }: NonNullable<Breach['cut']>,
): void {
  let left = afterBytes
  answer.on('data', (chunk: Buffer) => {
    if (left <= 0) return
    const part = chunk.subarray(0, left)
    left -= part.length
    // Once the bytes have left: the client has begun to read when the end comes.
    outgoing.write(part, () => {
      if (left > 0) return
      if (how === 'ended') outgoing.end()
      else outgoing.destroy()
    })
  })
  answer.on('end', () => {
    if (left > 0) outgoing.end()
  })
}
