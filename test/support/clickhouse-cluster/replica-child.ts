/**
 * One replica: the engine with Keeper and macros in its configuration, behind the HTTP interface of the embedded child, without its gate.
 * Forked by replicas.ts; ends with its parent.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import Module, { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { createAdmin } from '../../../src/engines/clickhouse/child/admin.ts'
import { baselineArgs, writeEngineConfig } from '../../../src/engines/clickhouse/child/config-file.ts'
import { openEngine, replaceOverlay } from '../../../src/engines/clickhouse/child/engine.ts'
import { makeFifos } from '../../../src/engines/clickhouse/child/fifo.ts'
import { createClickHouseServer } from '../../../src/engines/clickhouse/child/server.ts'
import { Slots } from '../../../src/engines/clickhouse/child/slots.ts'
import { tokenize } from '../../../src/engines/clickhouse/child/tokens.ts'
import { setPort } from './engine-copy.ts'

export interface ReplicaStart {
  readonly folder: string
  /** Module of the engine's copy. */
  readonly engine: string
  readonly username: string
  readonly password: string
  readonly port: number
  readonly interserverPort: number
  /** More of the server's configuration. */
  readonly xml: string
}

const sessions = 8

process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.on('message', (o: ReplicaStart) => {
  start(o).catch((error: unknown) => {
    process.send?.({ failed: String(error) })
  })
})

/** The package's own engine cannot be told its address; engine-copy.ts says more. */
function loadInstead(entry: string): void {
  const resolver = Module as unknown as { _resolveFilename: (request: string, ...rest: unknown[]) => string }
  const original = resolver._resolveFilename
  resolver._resolveFilename = (request, ...rest) =>
    request === '@chdb/lib-linux-x64-gnu' ? entry : original(request, ...rest)
}

async function start(o: ReplicaStart): Promise<void> {
  const [data, run] = [`${o.folder}/data`, `${o.folder}/run`]
  rmSync(run, { recursive: true, force: true })
  for (const folder of [data, run]) mkdirSync(folder, { recursive: true, mode: 0o700 })
  const config = writeEngineConfig(run, 2 ** 30)
  writeFileSync(config, readFileSync(config, 'utf8').replace('</clickhouse>', `${o.xml}</clickhouse>`))
  loadInstead(o.engine)
  // Tables that are there already make their address known as soon as the engine opens.
  createRequire(import.meta.url)(o.engine)
  await setPort(o.interserverPort)
  const engine = openEngine(data, config, baselineArgs)
  const first = engine.connect('start')
  await replaceOverlay(first, data)
  await first.close()
  const admin = createAdmin(engine)
  const server = createClickHouseServer({
    engine,
    slots: new Slots(sessions, 256, 30_000),
    fifos: await makeFifos(run, sessions),
    gate: {
      check: (sql) => {
        const tokens = tokenize(sql)
        while (tokens.at(-1)?.text === ';') tokens.pop()
        return tokens
      },
      isDeniedSetting: () => false,
    },
    account: { username: o.username, password: o.password },
    version: (await admin.facts()).version,
    kill: admin.kill,
  })
  server.listen(o.port, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
}
