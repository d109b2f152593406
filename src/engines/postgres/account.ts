import { chown, lchown, open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '@splitstream/kernel'

/*
 * Who runs the server. Postgres refuses to run as root, so:
 *
 * - not root: the server runs as we do, nothing is changed.
 * - root: it runs as an account of its own. The embedded data directory stays 0700 and root's: nobody gets a path to it.
 *   The child is put *into* its directory instead: spawn() changes to `cwd` while still root, drops to the account after
 *   that, and the server is told `-D /proc/self/cwd`, which needs no permission on any folder above. (Opening the parents
 *   with 0711 would have worked too, but DATA_DIR is often below a private home, which is not ours to open.)
 *
 * The account is a fixed number without a passwd entry, so that no other process shares it; 60706 to 61183 is the range
 * that systemd documents as unused. initdb alone wants a passwd entry: it runs as `nobody`, on a directory that nobody
 * else can reach, and the files are given to the account before the directory gets its final name.
 */
export interface Account {
  readonly uid: number
  readonly gid: number
  /** Runs initdb. Has a passwd entry. */
  readonly initUid: number
  /** Whether we are root and drop privileges: the server then gets its directory as its working directory. */
  readonly dropped: boolean
}

const SERVICE_UID = 60917

/**
 * The account for a server on `pgdata` (which need not exist yet: its owner decides when it does).
 * @throws AppError CONFIG_INVALID when there is no way to run it here.
 */
export async function chooseAccount(pgdata: string): Promise<Account> {
  const self = process.getuid?.() ?? 0
  const owner = await stat(pgdata).catch(() => undefined)
  if (self !== 0) {
    if (owner && owner.uid !== self) {
      throw new AppError(
        'CONFIG_INVALID',
        `The Postgres data belongs to uid ${owner.uid}, and this process is uid ${self}`,
      )
    }
    const gid = process.getgid?.() ?? 0
    return { uid: self, gid, initUid: self, dropped: false }
  }
  if (process.platform !== 'linux') {
    throw new AppError('CONFIG_INVALID', 'Embedded Postgres as root works on Linux only: start as a normal user')
  }
  const uid = owner && owner.uid !== 0 ? owner.uid : SERVICE_UID
  const gid = owner && owner.uid !== 0 ? owner.gid : SERVICE_UID
  return { uid, gid, initUid: await nobody(), dropped: true }
}

/** Hands a whole tree to the account, durably: an owner that is lost in a power cut would keep the server from starting. */
export async function giveTree(root: string, account: Account): Promise<void> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  for (const entry of entries) await lchown(join(entry.parentPath, entry.name), account.uid, account.gid)
  await chown(root, account.uid, account.gid)
  for (const entry of entries) if (!entry.isSymbolicLink()) await syncPath(join(entry.parentPath, entry.name))
  await syncPath(root)
}

/** fsync of a file or folder. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function nobody(): Promise<number> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '')
  const uid = Number(/^nobody:[^:]*:(\d+):/m.exec(passwd)?.[1])
  if (Number.isInteger(uid) && uid > 0) return uid
  throw new AppError(
    'CONFIG_INVALID',
    'Embedded Postgres as root needs a user named nobody: add it, or start as a normal user',
  )
}
