import { startChild } from '../child.ts'
import type { Audit } from './ledger.ts'
import type { Misbehaviours, Question } from './messages.ts'

export interface RunningParticipant {
  readonly url: string
  readonly pid: number
  misbehave(how: Misbehaviours): Promise<void>
  audit(): Promise<Audit>
  stop(): Promise<void>
}

export async function startParticipant(): Promise<RunningParticipant> {
  const child = startChild<Question>(new URL('./main.ts', import.meta.url))
  const url = await child.ask<string>({ kind: 'listen' })
  return {
    url,
    pid: child.pid,
    misbehave: async (how) => void (await child.ask({ kind: 'misbehave', how })),
    audit: () => child.ask<Audit>({ kind: 'audit' }),
    stop: child.stop,
  }
}
