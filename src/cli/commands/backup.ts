import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '@splitstream/kernel'
import { Command } from 'commander'
import { ask, type Connection } from '../api.ts'
import { byteProgress } from '../byte-progress.ts'
import { connectionOf, examples, print, withConnection } from '../options.ts'
import { table } from '../table.ts'

interface Backup {
  readonly name: string
  readonly state: 'running' | 'complete' | 'failed'
  readonly startedAt: string
  readonly takenAt: string | null
  readonly bytes: number
  readonly totalBytes: number
  readonly part?: string
  readonly error?: { readonly code: string; readonly detail: string }
}

interface Options {
  url: string
  key?: string
  list?: boolean
  json?: boolean
}

const pollMs = 500

/** `splitstream backup`: asks the running server for a backup below its BACKUP_DIR, and waits for it. Ctrl-C cancels it. */
export function backupCommand(): Command {
  const command = new Command('backup')
    .description("Back up the whole installation while it runs, below the server's BACKUP_DIR (the operator's key)")
    .argument('[name]', 'of the backup; the time of now when it is left out')
    .option('--list', 'list the backups that there are')
    .option('--json', "print the server's answer as it is")
    .action(async (name: string | undefined, options: Options) => {
      const connection = connectionOf(options)
      if (options.list)
        return show((await ask<{ backups: Backup[] }>(connection, 'GET', '/v1/backups')).backups, options)
      const done = await take(
        connection,
        name ?? new Date(systemClock.now()).toISOString().slice(0, 19).replaceAll(':', '-'),
      )
      if (options.json) return print(JSON.stringify(done))
      print(`${done.name} is complete: ${done.bytes} bytes; all that was acknowledged before ${done.takenAt} is in it`)
    })
  return examples(
    withConnection(command),
    'splitstream backup',
    'splitstream backup before-upgrade',
    'splitstream backup --list',
  )
}

/** @throws Error when it failed; AppError as the server answers */
async function take(connection: Connection, name: string): Promise<Backup> {
  const path = `/v1/backups/${encodeURIComponent(name)}`
  let backup = await ask<Backup>(connection, 'POST', '/v1/backups', { name })
  const cancel = (): void => {
    void ask(connection, 'POST', `${path}/cancel`).finally(() => process.exit(130))
  }
  process.once('SIGINT', cancel)
  const view = byteProgress(process.stderr)
  try {
    while (backup.state === 'running') {
      view.update(backup.bytes, backup.totalBytes, backup.part ?? '')
      await delay(pollMs)
      backup = await ask<Backup>(connection, 'GET', path)
    }
  } finally {
    view.stop()
    process.off('SIGINT', cancel)
  }
  if (backup.state === 'failed') throw new Error(`the backup failed: ${backup.error?.code} ${backup.error?.detail}`)
  return backup
}

function show(backups: readonly Backup[], { json }: Options): void {
  if (json) return print(JSON.stringify(backups))
  print(
    table(
      ['name', 'state', 'startedAt', 'takenAt', 'bytes'],
      backups.map((backup) => ({ ...backup })),
    ),
  )
}
