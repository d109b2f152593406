import { setTimeout as sleep } from 'node:timers/promises'
import { progress } from './progress.ts'
import { cpuByPart, type Subject } from './subject.ts'

/** Below this share of a core, over a second, ClickHouse merges nothing that matters. */
const quietCores = 0.05
/** Parts of a few million rows are merged within some ten seconds. */
const giveUpMs = 60_000

/** Waits until ClickHouse has merged what the figure before left: that work belongs to it, and not to the next one. */
export async function settle({ server }: Subject): Promise<void> {
  const from = performance.now()
  while (performance.now() - from < giveUpMs) {
    const [cpu, at] = [cpuByPart(server).clickhouse!, performance.now()]
    await sleep(1_000)
    const cores = (cpuByPart(server).clickhouse! - cpu) / ((performance.now() - at) / 1000)
    if (cores < quietCores) return
  }
  progress(`ClickHouse is still busy after ${giveUpMs / 1000} s: its work counts in what comes next`)
}
