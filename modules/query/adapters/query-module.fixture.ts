import { noMetrics, silentLogger, systemClock } from '@splitstream/kernel'
import type { StorageRead } from '@splitstream/storage/contract'
import { createQueryModule } from '../module.ts'

/** The module over this storage, with one live stream at most and no memory of answers. */
export const queryModule = (storage: StorageRead) =>
  createQueryModule({
    storage,
    clock: systemClock,
    metrics: noMetrics,
    logger: silentLogger,
    cursorSecret: Buffer.alloc(32, 7),
    partitions: 2,
    stale: { maxBytes: 0, maxAgeMs: 1 },
    maxStreams: 1,
  })
