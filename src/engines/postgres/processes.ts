import { execFile } from 'node:child_process'
import { readdir, readFile, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

/** A running process, as any user may see it. */
export interface RunningProcess {
  readonly pid: number
  readonly command: string
}

/** All processes of `uid`. Command lines are readable for everybody; /proc/PID/cwd is not, for root in a container. */
async function processesOf(uid: number): Promise<RunningProcess[]> {
  if (process.platform !== 'linux') {
    const { stdout } = await promisify(execFile)('ps', ['-U', String(uid), '-ww', '-o', 'pid=,command='])
    return stdout.split('\n').flatMap((line) => {
      const match = /^\s*(\d+)\s+(.*)$/.exec(line)
      return match ? [{ pid: Number(match[1]), command: match[2] ?? '' }] : []
    })
  }
  const found: RunningProcess[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      if ((await stat(`/proc/${name}`)).uid !== uid) continue
      const command = (await readFile(`/proc/${name}/cmdline`, 'utf8')).replaceAll('\0', ' ').trim()
      // A zombie has no command line, holds nothing, and cannot be signalled.
      if (command) found.push({ pid: Number(name), command })
    } catch {
      // It ended while we looked.
    }
  }
  return found
}

/** The server processes of one cluster: the postmaster says `cluster_name=NAME`, its children `postgres: NAME: …`. */
export async function findServer(
  uid: number,
  clusterName: string,
): Promise<{ postmaster: number | undefined; children: number[] }> {
  const all = (await processesOf(uid)).filter(({ command }) => command.includes(clusterName))
  return {
    postmaster: all.find(({ command }) => command.includes(`cluster_name=${clusterName}`))?.pid,
    children: all.filter(({ command }) => command.startsWith(`postgres: ${clusterName}`)).map(({ pid }) => pid),
  }
}

/** The command of a process of `uid`, or undefined. */
export async function commandOf(uid: number, pid: number): Promise<string | undefined> {
  return (await processesOf(uid)).find((running) => running.pid === pid)?.command
}

/** Sends a signal; a process that is gone is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Waits until `gone` says so, asking every `everyMs`; false when `ms` passed first. */
export async function until(gone: () => Promise<boolean> | boolean, ms: number, everyMs = 10): Promise<boolean> {
  const end = performance.now() + ms
  while (!(await gone())) {
    if (performance.now() >= end) return false
    await delay(everyMs)
  }
  return true
}
