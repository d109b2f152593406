import { readdirSync, readFileSync } from 'node:fs'
import { pssMib } from '../proc.ts'

const ticksPerSecond = 100

interface Stat {
  readonly pid: number
  readonly ppid: number
  /** Its own CPU time and that of children that it has seen end, s. */
  readonly cpu: number
}

/** CPU time so far of these processes and all below them, those that have ended among them, s. */
export const treeCpuSeconds = (roots: readonly number[]): number => below(roots).reduce((sum, { cpu }) => sum + cpu, 0)

/** Memory of these processes and all below them, MiB; shared pages count once. */
export const treePssMib = (roots: readonly number[]): number =>
  below(roots).reduce((sum, { pid }) => sum + (attempt(() => pssMib(pid)) ?? 0), 0)

function below(roots: readonly number[]): Stat[] {
  const all = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (attempt(() => read(name)) ?? []) : []))
  const mine = new Set(roots)
  for (let size = -1; size !== mine.size; ) {
    size = mine.size
    for (const { pid, ppid } of all) if (mine.has(ppid)) mine.add(pid)
  }
  return all.filter(({ pid }) => mine.has(pid))
}

function read(pid: string): Stat {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // from field 3 on: the name may hold blanks
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return { pid: Number(pid), ppid: Number(fields[1]), cpu: ticks / ticksPerSecond }
}

/** Undefined for a process that ended while we looked. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}
