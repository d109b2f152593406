import { type Config, ConfigError, inspectConfig } from '../../config.ts'
import { planTopology, type Topology } from '../../topology.ts'
import { fail, ok, type Row } from './check.ts'

/** What a start would read, as far as it can be used. */
export interface Planned {
  readonly config: Config
  /** Absent when a start would refuse it. */
  readonly topology: Topology | undefined
  readonly rows: readonly Row[]
}

/** Reads the environment and `.env` as a start does, and goes on with what is legal. */
export function readSettings(inspected = inspectConfig()): Planned {
  const { config, problems } = inspected
  const rows: Row[] = problems.map((problem) => {
    const [, name = '', what = ''] = /^(\w+): (.*)$/s.exec(problem) ?? [undefined, '', problem]
    return { check: name, ...fail(what, `a start is refused: set ${name} as docs/config.md says`) }
  })
  if (rows.length === 0) rows.push({ check: 'settings', ...ok('valid') })
  try {
    const topology = planTopology(config)
    rows.push({ check: 'topology', ...ok(`modules here: ${topology.modules.join(', ')}`) })
    return { config, topology, rows }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    rows.push({ check: 'topology', verdict: 'fail', measured: 'a start is refused', advice: error.message })
    return { config, topology: undefined, rows }
  }
}
