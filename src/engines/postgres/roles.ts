import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { AppError } from '@splitstream/kernel'
import type pg from 'pg'

/**
 * One schema and one role for each module. A role can use its own schema and nothing else, so a module that reaches for
 * another's table is refused by Postgres, not by a reviewer. `edge` is the public HTTP layer (keys).
 */
export const MODULE_SCHEMAS = ['edge', 'ingest', 'storage', 'sagas', 'query'] as const

export type ModuleSchema = (typeof MODULE_SCHEMAS)[number]

export function roleOf(schema: string): string {
  if (!MODULE_SCHEMAS.some((known) => known === schema))
    throw new AppError('INTERNAL', `No module owns schema ${schema}`)
  return `splitstream_${schema}`
}

/**
 * The URL with which the module that owns `schema` connects. Its password is derived from the admin's, so processes that
 * share the admin URL agree without talking. @throws AppError CONFIG_INVALID when the admin URL has no password.
 */
export function moduleUrl(adminUrl: string, schema: string): string {
  const role = roleOf(schema)
  const url = parse(adminUrl)
  const password = derive(url, role)
  url.username = role
  url.password = password
  return url.href
}

/** Makes the roles and schemas, and repairs passwords and grants. Needs the admin's CREATEROLE. Idempotent. */
export async function ensureRoles(client: pg.Client, adminUrl: string): Promise<void> {
  const url = parse(adminUrl)
  const { rows } = await client.query<{ me: string; super: boolean; db: string }>(
    'SELECT current_user AS me, rolsuper AS super, current_database() AS db FROM pg_roles WHERE rolname = current_user',
  )
  const [admin] = rows
  if (!admin) throw new AppError('INTERNAL', 'Postgres does not know its own user')
  for (const schema of MODULE_SCHEMAS) await ensureRole(client, schema, verifierOf(derive(url, roleOf(schema))), admin)
}

async function ensureRole(
  client: pg.Client,
  schema: ModuleSchema,
  verifier: string,
  admin: { me: string; super: boolean; db: string },
): Promise<void> {
  const role = roleOf(schema)
  const found = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role])
  if (found.rowCount === 0) await client.query(`CREATE ROLE ${role} LOGIN`)
  // Only a superuser may compare; anybody else sets it again.
  const current = admin.super
    ? await client.query('SELECT 1 FROM pg_authid WHERE rolname = $1 AND rolpassword = $2', [role, verifier])
    : undefined
  if (!current?.rowCount) await client.query(`ALTER ROLE ${role} LOGIN PASSWORD '${verifier}'`)
  // Migrations run as the module's role; a superuser may become anybody, others must be members.
  if (!admin.super) await client.query(`GRANT ${role} TO ${client.escapeIdentifier(admin.me)}`)
  const database = client.escapeIdentifier(admin.db)
  await client.query(`GRANT CONNECT ON DATABASE ${database} TO ${role}`)
  await client.query(`ALTER ROLE ${role} IN DATABASE ${database} SET search_path = ${schema}`)
  // The role does not own the schema, so it cannot grant others access; CREATE is for migrations and partitions.
  await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`)
  await client.query(`REVOKE ALL ON SCHEMA ${schema} FROM PUBLIC`)
  await client.query(`GRANT USAGE, CREATE ON SCHEMA ${schema} TO ${role}`)
}

function parse(adminUrl: string): URL {
  const url = URL.parse(adminUrl)
  if (!url?.password)
    throw new AppError('CONFIG_INVALID', 'POSTGRES_URL needs the form postgres://user:password@host/db')
  return url
}

function derive(admin: URL, role: string): string {
  return createHmac('sha256', decodeURIComponent(admin.password)).update(role).digest('base64url')
}

/**
 * What Postgres stores for a SCRAM password (RFC 5803). Made here so that the password itself never travels in a
 * statement, where a log could catch it; with a salt derived from the password, so that it can be compared.
 */
function verifierOf(password: string): string {
  const iterations = 4096
  const salt = createHash('sha256').update(`salt of ${password}`).digest().subarray(0, 16)
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const sign = (text: string) => createHmac('sha256', salted).update(text).digest()
  const stored = createHash('sha256').update(sign('Client Key')).digest('base64')
  const server = sign('Server Key').toString('base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${server}`
}
