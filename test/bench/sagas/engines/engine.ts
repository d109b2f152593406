import type { Target } from '../load/messages.ts'
import type { BenchPostgres } from './postgres.ts'

export interface RunningEngine {
  readonly target: Target
  /** Roots of its own processes; Postgres is counted apart. */
  readonly pids: readonly number[]
  readonly postgres?: BenchPostgres
  stop(): Promise<void>
}

export interface Engine {
  readonly label: string
  /** A fresh one, without data, that calls the participant at this URL. */
  start(participant: string): Promise<RunningEngine>
}
