import { type Row, runChecks } from './check.ts'
import { clickHouseChecks } from './clickhouse.ts'
import { clockCheck } from './clock.ts'
import { consulChecks } from './consul.ts'
import { dataDirChecks } from './data-dir.ts'
import { engineChecks } from './engines.ts'
import { fsyncCheck } from './fsync.ts'
import { kafkaChecks } from './kafka.ts'
import { linkChecks } from './links.ts'
import { machineChecks } from './machine.ts'
import { otlpChecks } from './otlp.ts'
import { portChecks } from './ports.ts'
import { postgresChecks } from './postgres.ts'
import { redisChecks } from './redis.ts'
import { type ServerOptions, serverChecks } from './server.ts'
import { readSettings } from './settings.ts'

/**
 * All that a start rests on, and a running server: at most 10 s, nothing stays. fsync is measured before the rest, which would
 * disturb it.
 */
export async function diagnose(o: ServerOptions): Promise<readonly Row[]> {
  const { config, topology, rows } = readSettings()
  const disk = await runChecks([fsyncCheck(config)])
  const rest = await runChecks([
    ...machineChecks(config),
    ...dataDirChecks(config),
    clockCheck(),
    ...(topology ? engineChecks(config, topology) : []),
    ...portChecks(config),
    ...postgresChecks(config),
    ...(topology ? clickHouseChecks(config, topology) : []),
    ...(topology ? kafkaChecks(config, topology) : []),
    ...redisChecks(config),
    ...consulChecks(config),
    ...otlpChecks(config),
    ...(topology ? linkChecks(config, topology) : []),
    ...serverChecks(config, o),
  ])
  return [...rows, ...disk, ...rest]
}
