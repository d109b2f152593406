import { type Call, checkPosition } from '@splitstream/kernel'
import type { StorageRead } from '@splitstream/storage/contract'

/**
 * Waits until storage has the position.
 * @throws AppError POSITION_INVALID at once for one that no log of so many partitions has; waiting for it would be in vain
 */
export async function awaitPosition(
  { storage, partitions }: { storage: StorageRead; partitions: number },
  position: string,
  call: Call,
): Promise<void> {
  checkPosition(position, partitions)
  await storage.awaitStored({ position }, call)
}
