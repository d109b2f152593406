import { readFileSync, writeFileSync } from 'node:fs'

/** Linux reports CPU time to user space in units of 1/100 s, whatever the kernel's own tick. */
const ticksPerSecond = 100

/** CPU time of a process with all its threads, user and system, s. 0 when it is gone. */
export function cpuSeconds(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // from field 3 on: the name may hold blanks
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  } catch {
    return 0
  }
}

/** Whether this process, and with it what it starts, goes ahead of all ordinary ones (`chrt -r 1`). */
export function isRealTime(): boolean {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const policy = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38])
  return policy === 1 || policy === 2
}

/** Time in which no core had anything to run, all cores together, s. Waiting for a disk counts as idle. */
export function idleSeconds(): number {
  const fields = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0]!.split(/\s+/)
  return (Number(fields[4]) + Number(fields[5])) / ticksPerSecond
}

const kib = (file: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(file, 'latin1'))?.[1] ?? Number.NaN)

/** Proportional set size, MiB: pages shared by n processes count 1/n for each, so that a sum counts them once. */
export const pssMib = (pid: number): number => kib(`/proc/${pid}/smaps_rollup`, 'Pss') / 1024

/** Resident size, shared pages included, MiB. */
export const rssMib = (pid: number): number => kib(`/proc/${pid}/status`, 'VmRSS') / 1024

/** Highest resident size since the start or the last `resetPeak`, MiB. */
export const peakRssMib = (pid: number): number => kib(`/proc/${pid}/status`, 'VmHWM') / 1024

/** Makes the present resident size the peak (proc(5), clear_refs). */
export const resetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, '5')
