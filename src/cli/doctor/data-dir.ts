import { access, constants, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AppError } from '@splitstream/kernel'
import type { Config } from '../../config.ts'
import { logOnDisk } from '../../topology.ts'
import { type Check, type Finding, fail, ok, warn } from './check.ts'
import { bytes } from './units.ts'

/** Of statfs on Linux (include/uapi/linux/magic.h), and what is to be said of them. */
const kinds: Readonly<Record<number, readonly [name: string, concern?: string]>> = {
  61267: ['ext4'],
  1481003842: ['xfs'],
  2435016766: ['btrfs'],
  801189825: ['zfs'],
  4076150800: ['f2fs'],
  16914836: ['tmpfs', 'it is memory: all is gone with the next restart of the machine'],
  2240043254: ['ramfs', 'it is memory: all is gone with the next restart of the machine'],
  2035054128: [
    'overlayfs',
    'it is the writable layer of a container: all is gone with the container; mount a volume there',
  ],
  26985: ['nfs', 'its fsync is as good as the server, and every acknowledgement goes over the network'],
  4283649346: ['cifs', 'locks and fsync of network file systems are not to be relied on'],
  4266872130: ['smb2', 'locks and fsync of network file systems are not to be relied on'],
  20859: ['smb', 'locks and fsync of network file systems are not to be relied on'],
  12805120: ['ceph', 'every acknowledgement goes over the network'],
  16914839: ['9p', 'it is shared with a host, and its fsync may not reach the disk'],
  1702057286: ['fuse', 'it depends on the program behind it whether fsync reaches a disk'],
}

/** DATA_DIR as it is, or the folder that it would be made in. */
export interface DataPlace {
  readonly path: string
  readonly exists: boolean
}

/** @throws AppError CONFIG_INVALID when something stands in the way of the folder */
export async function dataPlace(dataDir: string): Promise<DataPlace> {
  for (let path = dataDir; ; path = dirname(path)) {
    const found = await stat(path).catch(() => undefined)
    if (found?.isDirectory()) return { path, exists: path === dataDir }
    if (found) throw new AppError('CONFIG_INVALID', `${path} is no folder: set DATA_DIR to another one`)
    if (path === dirname(path)) throw new AppError('CONFIG_INVALID', `${dataDir} cannot be reached: set DATA_DIR`)
  }
}

export function dataDirChecks(config: Config): Check[] {
  const { DATA_DIR: dataDir } = config
  return [
    { name: 'DATA_DIR', run: () => checkFolder(dataDir) },
    { name: 'disk space', run: () => checkSpace(config) },
    { name: 'file system', run: () => checkKind(dataDir) },
  ]
}

async function checkFolder(dataDir: string): Promise<Finding> {
  const { path, exists } = await dataPlace(dataDir)
  const me = process.getuid?.()
  const { uid, mode } = await stat(path)
  const who = me === undefined || me === uid ? '' : `, of uid ${uid} while this is uid ${me}`
  const found = exists
    ? `${path}, mode ${(mode & 0o777).toString(8).padStart(4, '0')}${who}`
    : `${dataDir} is not there yet`
  const writable = await access(path, constants.R_OK | constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
  if (!writable) {
    return fail(
      `${found}; ${path} cannot be written to`,
      `give it to the account that runs Splitstream (chown), or set DATA_DIR`,
    )
  }
  // Root may write anywhere; the folder's owner is whom the server has run as.
  if (exists && me !== undefined && me !== 0 && me !== uid) {
    return fail(found, 'run Splitstream as the owner of the folder, or give it to this account (chown -R)')
  }
  if (exists && (mode & 0o077) !== 0)
    return warn(found, 'others of this machine can read events there; a start sets mode 0700')
  return ok(exists ? found : `${found}; a start makes it`)
}

async function checkSpace(config: Config): Promise<Finding> {
  const { path } = await dataPlace(config.DATA_DIR)
  const { bavail, bsize, blocks, files, ffree } = await statfs(path)
  const free = bavail * bsize
  const found = `${bytes(free)} free of ${bytes(blocks * bsize)}`
  if (free < config.MIN_FREE_BYTES) {
    return fail(
      found,
      `below MIN_FREE_BYTES (${bytes(config.MIN_FREE_BYTES)}) ingest answers 507: make room, or set DATA_DIR`,
    )
  }
  if (files > 0 && ffree < 10_000)
    return warn(`${found}, ${ffree} inodes left`, 'files cannot be made without inodes: make room')
  const log = logOnDisk(config)
  if (free < config.MIN_FREE_BYTES + log.bytes)
    return warn(found, `the log alone may take ${bytes(log.bytes)}: lower ${log.setting}, or make room`)
  return ok(found)
}

async function checkKind(dataDir: string): Promise<Finding> {
  const { path } = await dataPlace(dataDir)
  const { type } = await statfs(path)
  if (process.platform !== 'linux') return ok('this system does not say in a way that is known here')
  const [name, concern] = kinds[type] ?? [`of type 0x${type.toString(16)}`]
  return concern === undefined ? ok(name) : warn(name, `${concern}; set DATA_DIR to a local disk`)
}
