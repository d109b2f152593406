import { setTimeout as sleep } from 'node:timers/promises'
import { serverProcesses } from '../chaos/processes.ts'
import type { RunningServer } from '../support/server.ts'
import { pssMib, rssMib } from './proc.ts'

/** After the start the server settles: migrations, warm-up and garbage of the start are over. */
const settleMs = 5_000

/** Of all processes of the server together, MiB. */
export interface IdleMemory {
  /** Shared pages count once. */
  readonly pssMib: number
  /** They count for each process that has them. */
  readonly rssMib: number
}

/** Figure 5, idle. */
export async function measureIdleMemory(server: RunningServer): Promise<IdleMemory> {
  await sleep(settleMs)
  const sum = (of: (pid: number) => number): number =>
    serverProcesses(server.dataDir).all.reduce((all, { pid }) => all + of(pid), 0)
  return { pssMib: sum(pssMib), rssMib: sum(rssMib) }
}
