import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface ProcessInfo {
  readonly pid: number
  readonly ppid: number
  /** Arguments joined with blanks; Postgres backends write what they do in here. */
  readonly command: string
  readonly cwd: string
}

/** All live processes, from /proc. */
function processes(): ProcessInfo[] {
  const found: ProcessInfo[] = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
      const [state, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (state === 'Z') continue
      const command = readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ').trim()
      found.push({ pid: Number(name), ppid: Number(ppid), command, cwd: cwdOf(name) })
    } catch {
      // it ended while we looked
    }
  }
  return found
}

/** Ids of the live children of a process. */
export const childrenOf = (pid: number): number[] => processes().flatMap((p) => (p.ppid === pid ? [p.pid] : []))

function cwdOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return '' // a kernel thread, or gone
  }
}

export interface ServerProcesses {
  readonly main: ProcessInfo | undefined
  readonly clickhouse: ProcessInfo | undefined
  readonly postmaster: ProcessInfo | undefined
  readonly backends: readonly ProcessInfo[]
  /** Everything that belongs to the server, whatever it is. */
  readonly all: readonly ProcessInfo[]
}

/**
 * The processes of a server on `dataDir`: children of this process that run main.ts, all below them, and everything that
 * works in the data directory (a Postgres that outlived its parent).
 */
export function serverProcesses(dataDir: string): ServerProcesses {
  const list = processes()
  const main = list.find(
    (p) => p.ppid === process.pid && /main\.ts( |$)/.test(p.command) && !p.command.includes('child/'),
  )
  const mine = new Set<number>(main ? [main.pid] : [])
  const inside = (p: ProcessInfo): boolean => p.cwd.startsWith(dataDir) || p.command.includes(dataDir)
  for (let size = -1; size !== mine.size; ) {
    size = mine.size
    for (const p of list) {
      if (p.pid !== process.pid && p.ppid !== process.pid && (mine.has(p.ppid) || inside(p))) mine.add(p.pid)
    }
  }
  const all = list.filter((p) => mine.has(p.pid))
  const postmaster = all.find((p) => /\bpostgres\b.* -D /.test(p.command))
  return {
    main,
    clickhouse: all.find((p) => p.command.includes('clickhouse/child/main.ts')),
    postmaster,
    backends: postmaster ? all.filter((p) => p.ppid === postmaster.pid && p.command.startsWith('postgres: ')) : [],
    all,
  }
}

/** False when it was gone already. 0 does nothing but ask. */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name)
    return true
  } catch {
    return false
  }
}
