import type { BackupSources } from './take-backup.ts'

/** The parts of an installation that a process may have. */
export interface Parts {
  readonly log: BackupSources['log'] | undefined
  readonly postgres: BackupSources['postgres'] | undefined
  readonly clickhouse: BackupSources['clickhouse'] | undefined
}

/** All of it, or why it is not all: what lies elsewhere is backed up there, by the tools of what it is. */
export function sourcesOf({ log, postgres, clickhouse }: Parts): BackupSources | string {
  if (log && postgres && clickhouse) return { log, postgres, clickhouse }
  const elsewhere = [
    ...(postgres ? [] : ['Postgres (pg_basebackup, or its provider)']),
    ...(clickhouse ? [] : ['ClickHouse (BACKUP)']),
    ...(log ? [] : ['the event log (on Kafka: its replicas, or a mirror)']),
  ]
  return (
    `Not all of the installation is in this process's DATA_DIR: ${elsewhere.join(', ')} ` +
    'is to be backed up where it runs. In which order: docs/backup.md'
  )
}
