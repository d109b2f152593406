import { rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'

/** What SQLite says when there is no room (sqlite.org/rescode.html). It takes only ENOSPC of a plain write for that. */
const sqliteFull = 13
/** SQLITE_IOERR_WRITE, which a quota (EDQUOT) is to it, and SQLITE_IOERR_SHMSIZE, for the index of the write-ahead log. */
const maybeFull: readonly unknown[] = [778, 4874]
const probeBytes = 64 << 10
/** As numbers: Node has no name for EDQUOT. */
const noRoom: readonly unknown[] = [-constants.errno.ENOSPC, -constants.errno.EDQUOT]

/** No room on the disk of `dir`, or in its quota: nothing was committed, and the file is as it was. */
export function isFull(error: unknown, dir: string): boolean {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined
  return code === sqliteFull || (maybeFull.includes(code) && !hasRoom(dir))
}

/** Asked of the disk itself: SQLite keeps to itself what the system had said. */
function hasRoom(dir: string): boolean {
  const probe = join(dir, 'probe')
  try {
    writeFileSync(probe, Buffer.alloc(probeBytes), { flush: true })
    return true
  } catch (error) {
    return !(error instanceof Error && 'errno' in error && noRoom.includes(error.errno))
  } finally {
    rmSync(probe, { force: true })
  }
}
