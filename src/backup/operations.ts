import { jsonContent, type Operations } from '@splitstream/kernel'
import { z } from 'zod'
import type { BackupView } from './backups.ts'

const instant = z.string().meta({ format: 'date-time' })

export const newBackup = z
  .strictObject({
    name: z.string().describe('Letters, digits, dot, underscore and hyphen, 100 at most: a folder below BACKUP_DIR'),
  })
  .meta({ id: 'NewBackup' })

const backup = z
  .object({
    name: z.string(),
    state: z.enum(['running', 'complete', 'failed']),
    startedAt: instant,
    takenAt: instant.nullable().describe('What was acknowledged before is in it'),
    eventsAt: instant.nullable().describe('Events that were acknowledged before are in it too'),
    position: z.string().nullable(),
    bytes: z.int().min(0),
    totalBytes: z.int().min(0),
    part: z.enum(['postgres', 'clickhouse', 'log']).optional().describe('That is being copied'),
    error: z.object({ code: z.string(), detail: z.string() }).optional(),
  })
  .meta({ id: 'Backup' }) satisfies z.ZodType<BackupView>

const common = { tag: 'Installation', scope: 'admin', operator: true } as const
const byName = z.strictObject({ name: z.string().describe('The name of a backup') })

export const backupOperations = {
  beginBackup: {
    ...common,
    method: 'POST',
    path: '/v1/backups',
    summary: 'Begin a backup of the whole installation, below BACKUP_DIR',
    maxBodyBytes: 16 * 1024,
    body: jsonContent(newBackup, { nightly: { name: '2026-01-31' } }),
    answers: { 202: { description: 'It is running', content: jsonContent(backup) } },
    problems: ['CONFLICT', 'UNPROCESSABLE', 'BODY_TOO_DEEP'],
  },
  listBackups: {
    ...common,
    method: 'GET',
    path: '/v1/backups',
    summary: 'Backups, newest first, with the one that is running',
    answers: { 200: { description: 'All backups', content: jsonContent(z.object({ backups: z.array(backup) })) } },
  },
  getBackup: {
    ...common,
    method: 'GET',
    path: '/v1/backups/:name',
    summary: 'One backup, and how far it is',
    params: byName,
    answers: { 200: { description: 'The backup', content: jsonContent(backup) } },
    problems: ['NOT_FOUND'],
  },
  cancelBackup: {
    ...common,
    method: 'POST',
    path: '/v1/backups/:name/cancel',
    summary: 'Stop a backup that is running; nothing of it is left',
    params: byName,
    answers: { 204: { description: 'It has ended' } },
    problems: ['NOT_FOUND'],
  },
} satisfies Operations
