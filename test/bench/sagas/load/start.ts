import { startChild } from '../child.ts'
import type { Question, Round, RoundResult, Target } from './messages.ts'

export interface RunningLoad {
  readonly pid: number
  run(round: Round): Promise<RoundResult>
  stop(): Promise<void>
}

/** A load generator that is connected to its target. */
export async function startLoad(target: Target, connections: number): Promise<RunningLoad> {
  const child = startChild<Question>(new URL('./main.ts', import.meta.url))
  await child.ask({ kind: 'connect', target, connections })
  return { pid: child.pid, run: (round) => child.ask<RoundResult>({ kind: 'round', round }), stop: child.stop }
}
