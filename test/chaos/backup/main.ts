import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Client } from '../client.ts'
import type { Findings } from '../findings.ts'
import { Random } from '../random.ts'
import { Session } from '../session.ts'
import { inFolder, inPlace, judge, type Place } from '../trial.ts'
import { awaitStored, verifyThroughApi } from '../verify.ts'
import { Acks, forgetWhatCameAfter, sendAgain } from './ledger.ts'
import { emittedSource, Orders, orderSource } from './orders.ts'
import { Participant } from './participant.ts'
import { Positions } from './positions.ts'

export interface BackupOptions {
  readonly from: number
  readonly eventsPerSecond: number
  readonly keep: boolean
}

interface Backup {
  readonly name: string
  readonly state: string
  readonly bytes: number
  readonly position: string
  /** What was acknowledged before is in it; of events, what was before `eventsAt`. */
  readonly takenAt: string
  readonly eventsAt: string
  readonly error?: unknown
}

const cli = fileURLToPath(new URL('../../../src/cli/bin.ts', import.meta.url))
/** Slow, so that much is stored between the copies of the parts. */
const bytesPerSecond = 16 << 20
/** It is not ready then until somebody has acknowledged the loss. */
const lost = /events were deleted from the log before they were stored; they are lost/
const [warmMs, afterMs] = [4_000, 1_500]
const sagasPerSecond = 20

/**
 * Total loss: a backup while events and sagas come in, everything killed and deleted, a restore into an empty directory. What was
 * acknowledged before the backup's named point is there, once; nothing that was never sent is; everything goes on, and what is
 * sent again is stored once.
 */
export async function runBackup(o: BackupOptions): Promise<number> {
  const passed = await inFolder({ name: 'backups', keep: o.keep }, async (backups) => {
    const env = {
      // Retention would soon take what the copy of the log still needs.
      ...{ LOG_RETAIN_BYTES: String(16 << 20), BACKUP_BYTES_PER_SECOND: String(bytesPerSecond) },
      ...{ SAGA_ALLOW_PRIVATE: '127.0.0.1', BACKUP_DIR: backups },
    }
    return await inPlace({ name: 'backup', env, keep: o.keep }, (place) =>
      judge({ backup: 'total loss', rate: o.eventsPerSecond }, (findings) => runOnce(place, backups, o, findings)),
    )
  })
  return passed ? 0 : 1
}

async function runOnce(place: Place, backups: string, o: BackupOptions, findings: Findings): Promise<object> {
  const { victim } = place
  const random = new Random(o.from)
  await using participant = await Participant.start(findings, random.fork())
  await using session = await Session.start(place, { name: 'backup', random, eventsPerSecond: o.eventsPerSecond })
  const { load, ledger, expectation } = session
  const operator = new Client(victim.url, victim.adminKey)
  const orders = new Orders(victim.url, victim.adminKey, findings)
  const positions = new Positions(operator, findings)
  const acks = new Acks(load)
  try {
    await orders.publish(participant)
    orders.start(sagasPerSecond)
    await delay(warmMs)

    await positions.give('before')
    const backup = await take(operator)
    const [takenAt, eventsAt] = [Date.parse(backup.takenAt), Date.parse(backup.eventsAt)]
    await delay(afterMs)
    await positions.give('after')

    await victim.end()
    await Promise.all([load.stop(0), orders.stop()])
    participant.installationLost()
    await rm(victim.dataDir, { recursive: true })
    const inDoubt = forgetWhatCameAfter(ledger, acks, eventsAt)
    const ordersBefore = orders.ackedBefore(takenAt, eventsAt)
    const acked = ledger.counts().acked
    const restoreMs = await timed(() => restore(join(backups, backup.name), victim.dataDir))
    const readyMs = await timed(() => victim.start(60_000, lost))

    await positions.check()
    await awaitStored(victim.url, [{ tenant: expectation.tenants[0]!, position: backup.position }], 60_000)
    const restored = await verifyThroughApi(victim.url, expectation, findings)
    await orders.verify(ordersBefore, participant, 30_000)
    await sendAgain(victim.url, expectation, random)
    const again = orders.withEvents(ordersBefore)
    await orders.again(again)
    await positions.check()
    await orders.verify(again, participant, 30_000)
    const verdict = await session.verify(findings, { others: [orderSource, emittedSource, positions.source] })

    await victim.start()
    checkRecord(victim.output(), findings)
    const { bytes } = backup
    const stored = [...restored.values()].reduce((a, b) => a + b, 0)
    const sagas = { promised: ordersBefore.length, again: again.length, all: orders.orders.length }
    return {
      backup: { bytes, ...backup.took },
      promised: acked,
      restored: stored,
      inDoubt,
      sagas,
      restoreMs,
      readyMs,
      ...verdict,
    }
  } finally {
    await orders.stop()
    orders.close()
    operator.close()
  }
}

/** Also looks at what one at a time means, and that a cancelled one leaves nothing. */
async function take(operator: Client): Promise<Backup & { took: object }> {
  const headers = { 'content-type': 'application/json' }
  const post = (path: string, body: object) =>
    operator.send('POST', path, { body: Buffer.from(JSON.stringify(body)), headers })
  const from = performance.now()
  const begun = await post('/v1/backups', { name: 'total-loss' })
  if (begun.status !== 202) throw new Error(`the backup did not begin: ${begun.status} ${begun.text}`)
  const second = await post('/v1/backups', { name: 'another' })
  if (second.status !== 409) throw new Error(`a second backup was answered ${second.status}`)
  for (;;) {
    const backup = await operator.json<Backup>('GET', '/v1/backups/total-loss')
    if (backup.state === 'complete') return { ...backup, took: { backupMs: Math.round(performance.now() - from) } }
    if (backup.state === 'failed') throw new Error(`the backup failed: ${JSON.stringify(backup.error)}`)
    await delay(50)
  }
}

async function restore(backup: string, dataDir: string): Promise<void> {
  await promisify(execFile)(process.execPath, [cli, 'restore', backup, '--data-dir', dataDir])
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now()
  await work()
  return Math.round(performance.now() - from)
}

/** In a whole backup, what is on record as stored is there, and what is there is recorded at the first start. */
function checkRecord(output: string, findings: Findings): void {
  for (const line of output.split('\n')) {
    if (/rows are missing from|more rows than were confirmed|not the log that was|is no longer in the log/.test(line))
      findings.add('the parts of the backup do not fit', line.slice(0, 400))
  }
}
