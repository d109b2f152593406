import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '@splitstream/kernel'
import type { Account } from './account.ts'
import { commandOf, findServer, signal, until } from './processes.ts'

/*
 * What an earlier life left on the directory. After `kill -9` of our process there may be
 *
 * - a postmaster that still serves: it is stopped fast (SIGINT: sessions are ended, a checkpoint is written), then
 *   SIGQUIT, and only then SIGKILL. We start our own afterwards instead of adopting the stranger, because only a child's
 *   exit is reported to us, and because its settings may be those of an older version;
 * - children without a postmaster (it was killed): they end by themselves once they notice, and hold the shared memory
 *   until then. SIGQUIT makes them notice now;
 * - a postmaster.pid whose number belongs to somebody else by now. Postgres would refuse to start if that process is of
 *   the same user; as we have just made sure that the cluster has no server, the file can go. Should we be wrong,
 *   Postgres still refuses a second server by the shared memory segment that is keyed by the directory's inode.
 */

/** Makes sure that no server runs on the directory. @throws AppError CONFLICT when one is not ours, or will not end. */
export async function endEarlierServer(
  pgdata: string,
  clusterName: string,
  account: Account,
  deadlineMs: number,
): Promise<{ stopped: number | undefined }> {
  const { postmaster } = await findServer(account.uid, clusterName)
  if (postmaster !== undefined) await endPostmaster(account.uid, clusterName, postmaster, deadlineMs)
  await endChildren(account.uid, clusterName)
  await refuseForeign(pgdata, account.uid)
  await rm(join(pgdata, 'postmaster.pid'), { force: true })
  return { stopped: postmaster }
}

async function endPostmaster(uid: number, clusterName: string, pid: number, deadlineMs: number): Promise<void> {
  const gone = async () => (await findServer(uid, clusterName)).postmaster !== pid
  for (const name of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    signal(pid, name)
    if (await until(gone, deadlineMs)) return
  }
  throw new AppError('CONFLICT', `Postgres process ${pid} of an earlier start does not end`)
}

async function endChildren(uid: number, clusterName: string): Promise<void> {
  for (const name of ['SIGQUIT', 'SIGKILL'] as const) {
    const { children } = await findServer(uid, clusterName)
    if (children.length === 0) return
    for (const pid of children) signal(pid, name)
    if (await until(async () => (await findServer(uid, clusterName)).children.length === 0, 3_000)) return
  }
  throw new AppError('CONFLICT', 'Postgres processes of an earlier start do not end')
}

/** A server that somebody started by hand on this very directory is not ours to stop. */
async function refuseForeign(pgdata: string, uid: number): Promise<void> {
  const pid = Number((await readFile(join(pgdata, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0])
  if (!Number.isInteger(pid) || pid <= 1) return
  const command = await commandOf(uid, pid)
  if (command?.includes('postgres') && command.includes(pgdata)) {
    throw new AppError('CONFLICT', `A Postgres that Splitstream did not start (process ${pid}) uses the data directory`)
  }
}
