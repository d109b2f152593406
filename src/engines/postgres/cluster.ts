import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '@splitstream/kernel'
import { type Account, giveTree, syncPath } from './account.ts'
import type { Distribution } from './binaries.ts'

/*
 * The files of the embedded server, below the directory that the caller gives:
 *
 *   cluster/pgdata/    the Postgres data directory
 *   cluster/password   the superuser's password, 0600
 *   init-XXXXXX/       a cluster being made. It gets the name `cluster` when it is whole and fsynced, in one rename, so
 *                      a crash leaves only an init folder behind, which the next start removes.
 */
export interface Cluster {
  readonly pgdata: string
  readonly password: string
  /** Unique to this cluster and visible in the command line of each of its processes. */
  readonly name: string
}

export const SUPERUSER = 'splitstream'

const INIT_DEADLINE_MS = 120_000

/** Where the data directory is, or will be. */
export function pgdataOf(directory: string): string {
  return join(directory, 'cluster', 'pgdata')
}

/** The cluster of `directory`, made first if there is none. @throws AppError INTERNAL when initdb fails. */
export async function openCluster(directory: string, account: Account, binaries: Distribution): Promise<Cluster> {
  for (const name of await readdir(directory)) {
    if (name.startsWith('init-')) await rm(join(directory, name), { recursive: true, force: true })
  }
  const home = join(directory, 'cluster')
  const pgdata = pgdataOf(directory)
  const exists = await stat(home).catch(() => undefined)
  if (!exists) await makeCluster(directory, home, account, binaries)
  // Copied back from a backup by root: the server would refuse files that are not its own.
  else if (account.dropped && (await stat(pgdata)).uid !== account.uid) await giveTree(pgdata, account)
  const password = (await readFile(join(home, 'password'), 'utf8')).trim()
  const digest = createHash('sha256').update(`cluster name of ${password}`).digest('hex')
  return { pgdata, password, name: `splitstream-${digest.slice(0, 24)}` }
}

async function makeCluster(directory: string, home: string, account: Account, binaries: Distribution): Promise<void> {
  const draft = await mkdtemp(join(directory, 'init-'))
  const pgdata = join(draft, 'pgdata')
  const secret = join(draft, 'password')
  await mkdir(pgdata, { mode: 0o700 })
  await writeFile(secret, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 })
  if (account.dropped) for (const path of [draft, pgdata, secret]) await chown(path, account.initUid, account.gid)
  await runInitdb(pgdata, account, binaries)
  if (account.dropped) {
    await giveTree(pgdata, account)
    for (const path of [draft, secret]) await chown(path, 0, 0)
  }
  await chmod(secret, 0o600)
  for (const path of [secret, draft]) await syncPath(path)
  await rename(draft, home)
  await syncPath(directory)
}

/**
 * Checksums on (a flipped bit is an error, not an answer), UTF-8 with the built-in provider (no locale of the machine is
 * needed, and an upgrade of libc cannot reorder an index), SCRAM passwords, no socket logins.
 */
async function runInitdb(pgdata: string, account: Account, binaries: Distribution): Promise<void> {
  const args = [
    ...['-D', account.dropped ? '/proc/self/cwd' : pgdata],
    ...[`--username=${SUPERUSER}`, '--pwfile=../password', '--auth-host=scram-sha-256', '--auth-local=reject'],
    ...['--data-checksums', '--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
    '--no-instructions',
  ]
  const child = spawn(binaries.initdb, args, {
    cwd: pgdata,
    env: { LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: INIT_DEADLINE_MS,
    ...(account.dropped ? { uid: account.initUid, gid: account.gid } : {}),
  })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-4_000)
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve)
  }).catch((cause: unknown) => {
    throw new AppError('INTERNAL', 'Cannot run initdb', { cause })
  })
  if (complaint.includes('could not look up effective user')) {
    throw new AppError(
      'CONFIG_INVALID',
      'Embedded Postgres needs a user with a passwd entry: add one for this uid, or set POSTGRES_URL',
    )
  }
  if (code !== 0) throw new AppError('INTERNAL', `initdb failed: ${complaint.trim() || `exit code ${code}`}`)
}
