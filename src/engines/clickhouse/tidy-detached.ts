import { type Logger, messageOf } from '@splitstream/kernel'
import type { DetachedPart, EmbeddedClickHouse } from './embedded.ts'

/** Merge results that are kept, the newest of each table: more than one power cut leaves behind. */
const kept = 20

/** Partition, first block, last block, level, perhaps a mutation, and what the engine adds when a name is taken. */
const partName = /^broken-on-start_[^_]+_\d+_(\d+)_(\d+)(?:_\d+)?(?:_try\d+)?$/

/**
 * Deletes the merge results that power cuts left broken (docs/adr/0005), but for the newest. The parts that they were made of were kept, and
 * an earlier start has counted the rows: nothing is lost with them. Parts as they were inserted are never deleted: their rows may be
 * missing. Never throws.
 */
export async function tidyDetached(
  engine: Pick<EmbeddedClickHouse, 'detachedParts' | 'dropDetachedPart'>,
  logger: Logger,
): Promise<void> {
  try {
    const old = mergeResults(await engine.detachedParts()).flatMap((parts) => parts.slice(kept))
    for (const part of old) await engine.dropDetachedPart(part)
    if (old.length > 0) {
      logger.info('old results of merges that power cuts had broken were deleted', {
        parts: old.length,
        names: old.slice(0, 10).map(({ name }) => name),
      })
    }
  } catch (error) {
    logger.warn('parts that were put aside cannot be tidied up', { error: messageOf(error) })
  }
}

/** Of each table, the newest first. */
function mergeResults(parts: readonly DetachedPart[]): DetachedPart[][] {
  const merged = parts.flatMap((part) => {
    const [, last = '', level = '0'] = partName.exec(part.name) ?? []
    return part.reason === 'broken-on-start' && Number(level) > 0 ? [{ part, last: Number(last) }] : []
  })
  const tables = Map.groupBy(merged, ({ part }) => `${part.database} ${part.table}`)
  return [...tables.values()].map((all) => all.sort((a, b) => b.last - a.last).map(({ part }) => part))
}
