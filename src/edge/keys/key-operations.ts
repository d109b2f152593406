import { jsonContent, type Operations } from '@splitstream/kernel'
import { z } from 'zod'
import type { KeyView } from './key-row.ts'
import type { FreshKey } from './key-store.ts'

const scopes = ['ingest', 'query', 'sagas', 'admin'] as const
const instant = z.string().meta({ format: 'date-time' })

/** `system` is what the process itself calls itself. */
const tenant = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'lower-case letters, digits, - and _; at most 63')
  .refine((name) => name !== 'system', 'system is taken')
const quota = z
  .strictObject({
    requestsPerSecond: z.number().int().min(1).max(1e9).optional(),
    bytesPerSecond: z.number().int().min(1).max(1e12).optional().describe('Of request bodies, as they are sent'),
  })
  .nullable()
  .describe('null: that of the settings; {}: none')

/** Bodies. */
export const newKey = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(200)
      .regex(/^[^\p{C}]*$/u, 'control characters have no place here'),
    tenant: tenant.optional().describe("The caller's if absent; only the operator makes keys for others"),
    scopes: z
      .array(z.enum(scopes))
      .min(1)
      .max(4)
      .transform((given) => [...new Set(given)]),
    expiresAt: z.iso
      .datetime({ offset: true })
      .refine((text) => Number.isFinite(Date.parse(text)), 'is no instant')
      .nullable()
      .default(null),
    quota: quota.default(null),
  })
  .meta({ id: 'NewKey' })
export const change = z.strictObject({ quota }).meta({ id: 'KeyChange' })
export const rotation = z
  .strictObject({
    graceSeconds: z.number().int().min(0).max(2_592_000).default(86_400).describe('For how long the old secret works'),
  })
  .meta({ id: 'KeyRotation' })

const key = {
  id: z.string(),
  name: z.string(),
  tenant: z.string(),
  scopes: z.array(z.enum(scopes)),
  quota,
  prefix: z.string().describe('The beginning of the key, to recognise it by'),
  createdAt: instant,
  expiresAt: instant.nullable(),
  revokedAt: instant.nullable(),
  lastUsedAt: instant.nullable(),
}
const keyView = z.object(key).meta({ id: 'Key' }) satisfies z.ZodType<KeyView>
const freshKey = z
  .object({ ...key, key: z.string().describe('The secret: it is shown this once') })
  .meta({ id: 'FreshKey' }) satisfies z.ZodType<FreshKey>

const common = { tag: 'API keys', scope: 'admin' } as const
const byId = z.strictObject({
  id: z
    .string()
    .regex(/^[0-9A-Za-z]{1,64}$/, 'letters and digits are expected')
    .describe('The id of a key'),
})
const maxBodyBytes = 16 * 1024

export const keyOperations = {
  createKey: {
    ...common,
    method: 'POST',
    path: '/v1/keys',
    summary: 'Make an API key; the answer is the only place where it is shown',
    maxBodyBytes,
    body: jsonContent(newKey, {
      ingest: { name: 'shop', scopes: ['ingest'] },
      limited: {
        name: 'reports',
        scopes: ['query'],
        expiresAt: '2100-01-01T00:00:00Z',
        quota: { requestsPerSecond: 50 },
      },
    }),
    answers: { 201: { description: 'The key, with its secret', content: jsonContent(freshKey) } },
    problems: ['UNPROCESSABLE', 'BODY_TOO_DEEP'],
  },
  listKeys: {
    ...common,
    method: 'GET',
    path: '/v1/keys',
    summary: 'List API keys, newest first, without their secrets',
    description: 'Keys that were revoked or have expired are listed for 30 days, the last 1,000 of a tenant.',
    answers: { 200: { description: 'All keys', content: jsonContent(z.object({ keys: z.array(keyView) })) } },
  },
  rotateKey: {
    ...common,
    method: 'POST',
    path: '/v1/keys/:id/rotate',
    summary: 'Give a key a new secret; the old one goes on for a grace period',
    description:
      "The operator's key has none while it is ADMIN_KEY: `CONFLICT`. Change that in all processes, and restart them.",
    params: byId,
    maxBodyBytes,
    body: jsonContent(rotation, { anHour: { graceSeconds: 3_600 } }),
    answers: { 200: { description: 'The key, with its new secret', content: jsonContent(freshKey) } },
    problems: ['NOT_FOUND', 'CONFLICT', 'BODY_TOO_DEEP'],
  },
  changeKey: {
    ...common,
    method: 'PATCH',
    path: '/v1/keys/:id',
    summary: 'Change the quota of a key',
    params: byId,
    maxBodyBytes,
    body: jsonContent(change, { limited: { quota: { requestsPerSecond: 100 } }, ofTheSettings: { quota: null } }),
    answers: { 200: { description: 'The key', content: jsonContent(keyView) } },
    problems: ['NOT_FOUND', 'BODY_TOO_DEEP'],
  },
  revokeKey: {
    ...common,
    method: 'DELETE',
    path: '/v1/keys/:id',
    summary: 'Revoke a key',
    params: byId,
    answers: { 204: { description: 'It is worthless; in other processes within 5 s while Postgres answers them' } },
    problems: ['NOT_FOUND', 'CONFLICT'],
  },
} satisfies Operations
