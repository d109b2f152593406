import { type ModuleName, moduleNames, type Registration, registry } from '../../src/registry.ts'
import type { ProcessRow } from '../support/fleet.ts'

/** One way to run the product: which modules share a process, and where the log is. */
export interface Layout {
  readonly name: string
  readonly processes: readonly ProcessRow[]
  readonly events: 'local' | 'kafka'
  /** The processes call each other over mutual TLS. */
  readonly tls?: boolean
  /** More settings of all processes. */
  readonly env?: Readonly<Record<string, string>>
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

/**
 * All partitions of the modules, over each log that is legal; one with two instances of every module; and two that call each
 * other over mutual TLS, of which one has a record for each event on Kafka.
 */
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
  const apart = moduleNames.map((module): ProcessRow => ({ name: module, modules: [module] }))
  const front: ProcessRow = { name: 'front', modules: moduleNames.filter((module) => module !== 'query') }
  return [
    ...each,
    { name: 'two instances of every module, kafka log', processes: twice, events: 'kafka' },
    {
      name: 'query apart, mutual TLS, local log',
      processes: [front, { name: 'query', modules: ['query'] }],
      events: 'local',
      tls: true,
    },
    {
      name: 'every module apart, mutual TLS, kafka log, a record for each event',
      processes: apart,
      events: 'kafka',
      tls: true,
      env: { KAFKA_RECORDS: 'cloudevents' },
    },
  ]
}
