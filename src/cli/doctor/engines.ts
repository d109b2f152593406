import { AppError, messageOf } from '@splitstream/kernel'
import type { Config } from '../../config.ts'
import { findEngineLibrary } from '../../engines/clickhouse/library.ts'
import { findDistribution } from '../../engines/postgres/binaries.ts'
import type { Topology } from '../../topology.ts'
import { type Check, type Finding, fail, ok } from './check.ts'

/** The engines that a start would start here: are they installed? */
export function engineChecks(config: Config, topology: Topology): Check[] {
  const checks: Check[] = []
  if (config.POSTGRES_URL === undefined) {
    checks.push({
      name: 'embedded Postgres',
      run: () => found('POSTGRES_URL', async () => (await findDistribution()).root),
    })
  }
  if (config.CLICKHOUSE_URL === undefined && topology.engines.has('clickhouse')) {
    checks.push({ name: 'embedded ClickHouse', run: () => found('CLICKHOUSE_URL', findEngineLibrary) })
  }
  return checks
}

async function found(setting: string, find: () => Promise<string>): Promise<Finding> {
  try {
    return ok(await find())
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return fail(messageOf(error), `run npm ci, or set ${setting} to a server`)
  }
}
