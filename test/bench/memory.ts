import { setTimeout as sleep } from 'node:timers/promises'
import { serverProcesses } from '../chaos/processes.ts'
import type { RunningServer } from '../support/server.ts'
import { pssMib } from './proc.ts'

/** After the start the server settles: migrations, warm-up and garbage of the start are over. */
const settleMs = 5_000

/** Figure 5, idle: the sum of the proportional set sizes of all processes of the server, MiB. */
export async function measureIdleMemory(server: RunningServer): Promise<number> {
  await sleep(settleMs)
  let sum = 0
  for (const { pid } of serverProcesses(server.dataDir).all) sum += pssMib(pid)
  return sum
}
