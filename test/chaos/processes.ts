import { readdirSync, readFileSync } from 'node:fs'

export type Part = 'main' | 'clickhouse' | 'postgres'

/** The process of a part, found from outside: nothing in the product helps its own killer. */
export function pidOf(main: number, part: Part): number | undefined {
  if (part === 'main') return main
  const wanted = part === 'clickhouse' ? /engines\/clickhouse\/child\/main/ : /bin\/postgres\0-D/
  return childrenOf(main).find((pid) => wanted.test(commandOf(pid)))
}

export function kill(main: number, part: Part): boolean {
  const pid = pidOf(main, part)
  if (pid === undefined) return false
  try {
    process.kill(pid, 'SIGKILL')
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false // it was gone already
    throw error
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
  } catch {
    return [] // the process is gone
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}
