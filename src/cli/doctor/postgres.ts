import type { Config } from '../../config.ts'
import { connectPostgres } from '../../engines/postgres/driver.ts'
import { type Check, checkMs, type Finding, fail, ok, warn } from './check.ts'
import { skewOf } from './clock.ts'
import { ms } from './units.ts'

/** The first one with all that the migrations use, of those that the Postgres project still mends. */
const oldest = 14
/** Of one process: six for each module's pool and the edge's. */
const connections = 30

/** An external Postgres; the embedded one is as it has to be. */
export function postgresChecks({ POSTGRES_URL: url }: Config): Check[] {
  return url === undefined ? [] : [{ name: 'Postgres', run: () => checkPostgres(url) }]
}

interface Server {
  readonly version: string
  readonly number: number
  readonly now: string
  readonly recovering: boolean
  readonly fsync: string
  readonly full_page_writes: string
  readonly synchronous_commit: string
  readonly max_connections: number
  readonly may_create: boolean
  readonly may_create_roles: boolean
}

const question = `
  SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
         (extract(epoch FROM clock_timestamp()) * 1000)::text AS now, pg_is_in_recovery() AS recovering,
         current_setting('fsync') AS fsync, current_setting('full_page_writes') AS full_page_writes,
         current_setting('synchronous_commit') AS synchronous_commit, current_setting('max_connections')::int AS max_connections,
         has_database_privilege(current_database(), 'CREATE') AS may_create, (rolsuper OR rolcreaterole) AS may_create_roles
  FROM pg_roles WHERE rolname = current_user`

async function checkPostgres(url: string): Promise<Finding> {
  const limits = { connectTimeoutMs: checkMs - 1_000, statementTimeoutMs: checkMs - 1_000 }
  const pool = connectPostgres({ url, max: 1, applicationName: 'splitstream doctor', ...limits })
  try {
    // The first one has to connect.
    await pool.query('SELECT 1')
    const from = performance.now()
    const [server] = await pool.query<Server>(question)
    return judgePostgres(server!, performance.now() - from)
  } catch (error) {
    return fail(reasonOf(error), 'POSTGRES_URL leads nowhere, or its name or password is wrong')
  } finally {
    void pool.close().catch(() => undefined)
  }
}

export function judgePostgres(server: Server, took: number): Finding {
  const found = `version ${server.version}, round trip ${ms(took)}`
  if (server.number < oldest * 10_000)
    return fail(found, `${oldest} or newer is needed: upgrade it, or set POSTGRES_URL to another one`)
  if (server.recovering) return fail(`${found}, a standby`, 'it takes no writes: set POSTGRES_URL to the primary')
  const unsafe = (['fsync', 'full_page_writes', 'synchronous_commit'] as const).filter((name) => server[name] === 'off')
  if (unsafe.length > 0) {
    const what = unsafe.map((name) => `${name}=off`).join(', ')
    return fail(`${found}, ${what}`, 'a crash of it loses progress and sagas that were acknowledged: switch them on')
  }
  if (!server.may_create || !server.may_create_roles) {
    return fail(found, 'the user of POSTGRES_URL needs CREATE on the database and CREATEROLE')
  }
  const skew = skewOf(Number(server.now), took)
  if (skew !== undefined) return warn(found, skew)
  if (server.max_connections < connections) {
    return warn(
      `${found}, max_connections=${server.max_connections}`,
      `each process takes up to ${connections}: raise it`,
    )
  }
  if (took > 20) return warn(found, 'each block that is stored and each step of a saga waits for some: bring it nearer')
  return ok(found)
}

/** What the driver says, with the cause that it hides from clients; never the URL. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error)) return String(cause)
  return 'code' in cause && cause.message === '' ? String(cause.code) : cause.message
}
