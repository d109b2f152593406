import { randomBytes } from 'node:crypto'
import { serverProcesses } from '../chaos/processes.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { started, temporaryFolder } from './cleanup.ts'
import { cpuSeconds } from './proc.ts'

/** The server that is measured, on a folder of its own that outlives a restart. */
export interface Subject {
  readonly server: RunningServer
  /** Stops the server and starts it again on the same data. Resolves with the time from spawn to ready, ms. */
  restart(): Promise<number>
  /** Stops the server and removes its data. */
  end(): Promise<void>
}

/**
 * @param env more settings
 * @param entry the main file, of another product than this one
 */
export async function startSubject(env: Readonly<Record<string, string>> = {}, entry?: string): Promise<Subject> {
  const folder = temporaryFolder()
  const all = { ADMIN_KEY: randomBytes(24).toString('hex'), LOG_LEVEL: 'warn', ...env }
  const options = { dataDir: folder.path, env: all, ...(entry !== undefined && { entry }) }
  const start = () => started(startServer(options), (server) => server.stop())
  let now = await start()
  return {
    get server() {
      return now.thing
    },
    restart: async () => {
      await now.stop()
      const from = performance.now()
      now = await start()
      return performance.now() - from
    },
    end: async () => {
      await now.stop()
      await folder.remove()
    },
  }
}

/** CPU time so far by part of the server, s. */
export function cpuByPart(server: RunningServer): Readonly<Record<string, number>> {
  const { clickhouse, all } = serverProcesses(server.dataDir)
  const parts = { main: 0, clickhouse: 0, postgres: 0 }
  for (const { pid } of all) {
    parts[pid === server.pid ? 'main' : pid === clickhouse?.pid ? 'clickhouse' : 'postgres'] += cpuSeconds(pid)
  }
  return parts
}
