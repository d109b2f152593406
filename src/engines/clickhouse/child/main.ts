/**
 * The child process: the real ClickHouse engine (chDB) behind the ClickHouse HTTP interface on loopback. It lives as long
 * as its parent: when the IPC channel closes it dies at once, which the engine is built to survive.
 */
import { mkdirSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { getPriority, setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { shadowOf } from '../snapshot.ts'
import { createAdmin } from './admin.ts'
import { baselineArgs, writeEngineConfig } from './config-file.ts'
import { type Engine, openEngine, replaceOverlay } from './engine.ts'
import { makeFifos } from './fifo.ts'
import { createGate } from './gate.ts'
import type { DetachedPart, FromChild, FromParent, StartMessage } from './messages.ts'
import { createClickHouseServer } from './server.ts'
import { Slots } from './slots.ts'

/** Statements that wait for their turn, and for how long. */
const maxWaiting = 256
const maxWaitMs = 30_000

/** It gives way to who answers requests: two thirds of the weight where both want a core (docs/adr/0024). */
const niceness = 2

const die = (): never => process.kill(process.pid, 'SIGKILL') as never
const tell = (message: FromChild): void => {
  process.send?.(message)
}

process.on('disconnect', die)
// The terminal's Ctrl-C reaches the whole process group; the parent stops us when it is done with us.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)

// Before the engine is opened: its threads inherit it. Added to what the parent has: to take less than that is not allowed.
setPriority(Math.min(19, getPriority() + niceness))

let serving = false
process.on('message', (message: FromParent) => {
  // Told to stop while still starting: there is nothing to wait for.
  if (message.kind === 'stop' && !serving) die()
  if (message.kind !== 'start') return
  start(message.start).catch((error: unknown) => {
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
    setTimeout(die, 100)
  })
})

async function start(o: StartMessage): Promise<void> {
  rmSync(o.runDir, { recursive: true, force: true })
  // Of a backup that was cut off: its links would keep parts that are merged away.
  rmSync(shadowOf(o.dataDir), { recursive: true, force: true })
  mkdirSync(o.runDir, { recursive: true, mode: 0o700 })
  mkdirSync(o.dataDir, { recursive: true, mode: 0o700 })
  const fifosMade = makeFifos(o.runDir, o.sessions)
  const engine = await openWhenFree(o.dataDir, writeEngineConfig(o.runDir, o.maxMemoryBytes))
  const first = engine.connect('start')
  await replaceOverlay(first, o.dataDir)
  await first.close()
  const admin = createAdmin(engine)
  const facts = await admin.facts()
  const server = createClickHouseServer({
    engine,
    slots: new Slots(o.sessions, maxWaiting, maxWaitMs),
    fifos: await fifosMade,
    gate: createGate(facts.tableFunctions),
    account: { username: o.username, password: o.password },
    version: facts.version,
    kill: admin.kill,
  })
  process.on('message', (message: FromParent) => {
    if (message.kind === 'stop') {
      // Parts are complete on disk before an insert is answered, so there is nothing to save.
      server.close(() => process.kill(process.pid, 'SIGKILL'))
      server.closeIdleConnections()
    }
    if (message.kind === 'detached-parts') answer(message.id, admin.detachedParts)
    if (message.kind === 'drop-detached') answer(message.id, () => admin.dropDetached(message.part))
    if (message.kind === 'freeze') answer(message.id, () => admin.freeze(message.name))
  })
  serving = true
  server.listen(o.port, '127.0.0.1', () => tell({ kind: 'ready', port: (server.address() as AddressInfo).port }))
  server.once('error', (error) => {
    tell({ kind: 'failed', message: error.message })
    setTimeout(die, 100)
  })
}

/** A predecessor that was just killed may hold the directory's lock for another moment (code 76). */
async function openWhenFree(dataDir: string, configFile: string): Promise<Engine> {
  const until = performance.now() + 10_000
  for (;;) {
    try {
      return openEngine(dataDir, configFile, baselineArgs)
    } catch (error) {
      if (performance.now() > until) throw new Error(`${String(error)} (is it in use by another process?)`)
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
