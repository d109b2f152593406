import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '@splitstream/kernel'

/** Holds the copy until all of it is there; below the data directory. */
export const restoringName = '.restoring'

/** @throws AppError CONFIG_INVALID when a restore was cut off: parts of a backup are no installation */
export async function refuseHalfRestored(dataDir: string): Promise<void> {
  const found = await access(join(dataDir, restoringName)).then(
    () => true,
    () => false,
  )
  if (found) throw new AppError('CONFIG_INVALID', `A restore into ${dataDir} was cut off: empty it, and restore again`)
}
