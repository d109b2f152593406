import { resolve } from 'node:path'
import { systemClock } from '@splitstream/kernel'
import { Command } from 'commander'
import { byteProgress } from '../byte-progress.ts'
import { examples, print } from '../options.ts'

/** `splitstream restore`: makes an empty data directory out of a backup. No server runs meanwhile. Exit code 1: it is left empty. */
export function restoreCommand(): Command {
  const command = new Command('restore')
    .description('Make a data directory from a backup; then start the server on it')
    .argument('<backup>', 'folder of the backup, with its manifest.json')
    .requiredOption('--data-dir <dir>', 'an empty folder, or one that is not there: the DATA_DIR of the server')
    .action(async (backup: string, { dataDir }: { dataDir: string }) => {
      const { restoreBackup } = await import('../../backup/restore.ts')
      const stop = new AbortController()
      const interrupt = (): void => stop.abort(new Error('stopped'))
      process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
      const view = byteProgress(process.stderr)
      let [bytes, total] = [0, 0]
      try {
        const manifest = await restoreBackup({
          from: resolve(backup),
          dataDir: resolve(dataDir),
          clock: systemClock,
          signal: stop.signal,
          onBegin: ({ files }) => {
            total = files.reduce((sum, { size }) => sum + size, 0)
          },
          onBytes: (more) => {
            bytes += more
            view.update(bytes, total, 'copied and checked')
          },
        })
        view.stop()
        print(
          `restored to ${manifest.takenAt}: ${total} bytes in ${manifest.files.length} files; every checksum is right`,
        )
        print(`start it: DATA_DIR=${resolve(dataDir)} splitstream start`)
      } finally {
        view.stop()
        process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
      }
    })
  return examples(command, 'splitstream restore /backups/2026-11-26T12-00-00 --data-dir /var/lib/splitstream')
}
