/**
 * The child process: the real ClickHouse engine (chDB) behind the ClickHouse HTTP interface on loopback. It lives as long
 * as its parent: when the IPC channel closes it dies at once, which the engine is built to survive.
 */
import { mkdirSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Session } from 'chdb'
import { connectionArgs, writeEngineConfig } from './config-file.ts'
import { createGate } from './gate.ts'
import type { DetachedPart, FromChild, FromParent, StartMessage } from './messages.ts'
import { createClickHouseServer } from './server.ts'
import { SessionPool } from './sessions.ts'
import { literal } from './settings.ts'

const die = (): never => process.kill(process.pid, 'SIGKILL') as never
const tell = (message: FromChild): void => {
  process.send?.(message)
}

process.on('disconnect', die)
// The terminal's Ctrl-C reaches the whole process group; the parent stops us when it is done with us.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)

process.once('message', (message: FromParent) => {
  if (message.kind !== 'start') return
  start(message.start).catch((error: unknown) => {
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
    setTimeout(die, 100)
  })
})

async function start(o: StartMessage): Promise<void> {
  rmSync(o.runDir, { recursive: true, force: true })
  mkdirSync(o.runDir, { recursive: true, mode: 0o700 })
  const args = connectionArgs(writeEngineConfig(o.runDir), o.maxMemoryBytes)
  const admin = await openWhenFree(o.dataDir, args)
  const rows = async <T>(sql: string): Promise<T[]> => {
    const text = (await admin.queryAsync(sql, { format: 'JSONEachRow' })).text()
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as T)
  }
  const functions = await rows<{ name: string }>('SELECT name FROM system.table_functions')
  const sessions = new SessionPool(o.dataDir, o.sessions, args, 1024)
  const server = createClickHouseServer({
    sessions,
    gate: createGate(functions.map((f) => f.name)),
    username: o.username,
    password: o.password,
    runDirectory: o.runDir,
    kill: async (mark) => {
      await admin.queryAsync(`KILL QUERY WHERE Settings['log_comment'] = ${literal(mark)} ASYNC`)
    },
  })
  process.on('message', (message: FromParent) => {
    if (message.kind === 'stop') {
      server.close(() => {
        sessions.close()
        admin.close()
        process.exit(0)
      })
      server.closeIdleConnections()
    }
    if (message.kind === 'detached-parts') answer(message.id, () => detachedParts(rows))
    if (message.kind === 'drop-detached') answer(message.id, () => dropDetached(admin, message.part))
  })
  server.listen(o.port, '127.0.0.1', () => tell({ kind: 'ready', port: (server.address() as AddressInfo).port }))
  server.once('error', (error) => {
    tell({ kind: 'failed', message: error.message })
    setTimeout(die, 100)
  })
}

/** A predecessor that was just killed may hold the directory's lock for another moment (code 76). */
async function openWhenFree(dataDir: string, args: readonly string[]): Promise<Session> {
  const until = performance.now() + 10_000
  for (;;) {
    try {
      return new Session(dataDir, { connectionArgs: args })
    } catch (error) {
      if (performance.now() > until) throw error
      await sleep(50)
    }
  }
}

function answer(id: number, work: () => Promise<readonly DetachedPart[]>): void {
  work().then(
    (parts) => tell({ kind: 'answer', id, parts }),
    (error: unknown) => tell({ kind: 'answer', id, parts: [], error: String(error) }),
  )
}

function detachedParts(rows: <T>(sql: string) => Promise<T[]>): Promise<DetachedPart[]> {
  return rows<DetachedPart>(
    `SELECT database, \`table\`, name, reason FROM system.detached_parts WHERE reason != '' AND reason != 'ignored'`,
  )
}

async function dropDetached(admin: Session, part: DetachedPart): Promise<readonly DetachedPart[]> {
  const quote = (name: string): string => `\`${name.replace(/[\\`]/g, '\\$&')}\``
  await admin.queryAsync(
    `ALTER TABLE ${quote(part.database)}.${quote(part.table)} DROP DETACHED PART ${literal(part.name)} SETTINGS allow_drop_detached = 1`,
  )
  return []
}
