import type { Plant } from '../planted.ts'

const run = ['backup']
/** The first thing that finds it, at the start or behind it. */
const unfit = /"the parts of the backup do not fit|rows are missing from the events table/

/** Bugs of backups and restores. */
export const backupPlants: Readonly<Record<string, Plant>> = {
  'backup-without-log': {
    edits: [
      {
        file: 'src/transports/log/copy-worker.ts',
        find: '(_, p) => from[p] ?? 0)',
        replace: '(_, p) => ends.get(p) ?? from[p] ?? 0)',
      },
    ],
    run,
    // The process finds it first: it records the loss, and is not ready until somebody has acknowledged it.
    finding: /events were deleted from the log before they were stored; they are lost/,
  },
  // What is stored between the two is on record and missing.
  'clickhouse-first': {
    edits: [
      {
        file: 'src/backup/take-backup.ts',
        find: `  const { label, at } = await sources`,
        replace: `  await sources.clickhouse.snapshot('clickhouse/data', add, signal)
  const { label, at } = await sources`,
      },
      {
        file: 'src/backup/take-backup.ts',
        find: `  o.progress.part = 'clickhouse'
  await sources.clickhouse.snapshot('clickhouse/data', add, signal)
`,
        replace: '',
      },
    ],
    run,
    finding: unfit,
  },
  // Participants take a saga that its event starts once more for another one.
  'no-aliases': {
    edits: [
      {
        file: 'modules/sagas/app/start-triggered.ts',
        find: ', alias: aliasOf({ tenant, saga: name, source, id })',
        replace: '',
      },
    ],
    run,
    finding: /"a call had not one key/,
  },
  'places-given-again': {
    edits: [
      {
        file: 'src/transports/log/skips.ts',
        find: 'const to = Math.max(',
        replace: 'const to = Math.min(end, ',
      },
    ],
    run,
    finding: /"a position from after the backup/,
  },
}
