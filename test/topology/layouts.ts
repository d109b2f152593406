import { type ModuleName, moduleNames, type Registration, registry } from '../../src/registry.ts'
import type { ProcessRow } from '../support/fleet.ts'

/** One way to run the product: which modules share a process, and where the log is. */
export interface Layout {
  readonly name: string
  readonly processes: readonly ProcessRow[]
  readonly events: 'local' | 'kafka'
}

/** Every way to divide a set into non-empty groups: 1, 2, 5, 15, 52 … of them. */
export function setPartitions<T>(items: readonly T[]): T[][][] {
  const [first, ...rest] = items
  if (first === undefined) return [[]]
  return setPartitions(rest).flatMap((groups) => [
    [[first], ...groups],
    ...groups.map((_, at) => groups.map((group, i) => (i === at ? [first, ...group] : group))),
  ])
}

/** A local log has to be in the one process of all modules that touch it. */
function localLogWorks(groups: readonly ModuleName[][]): boolean {
  const uses = (module: ModuleName): boolean => (registry[module] as Registration).log !== 'none'
  return groups.filter((group) => group.some(uses)).length === 1
}

/** All partitions of the modules, over each log that is legal, and one with two instances of every module. */
export function layouts(): Layout[] {
  const each = setPartitions(moduleNames).flatMap((groups) => {
    const name = `[${groups.map((group) => group.join(' + ')).join(' | ')}]`
    const processes = groups.map((modules) => ({ name: modules.join('-'), modules }))
    const logs = localLogWorks(groups) ? (['local', 'kafka'] as const) : (['kafka'] as const)
    return logs.map((events): Layout => ({ name: `${name}, ${events} log`, processes, events }))
  })
  const twice = moduleNames.flatMap((module) =>
    [1, 2].map((n): ProcessRow => ({ name: `${module}-${n}`, modules: [module] })),
  )
  return [...each, { name: 'two instances of every module, kafka log', processes: twice, events: 'kafka' }]
}
