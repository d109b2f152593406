import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { type FileTree, joinTrees, walkTree } from '../file-tree.ts'

/** Of the copies of parts that the engine makes (hard links), below its data directory. */
export const frozenName = 'backup'
export const shadowOf = (dataDir: string): string => join(dataDir, 'shadow')

/**
 * The files of a data directory whose tables were just frozen: their parts as they were at that instant, and the definitions
 * of databases and tables. An engine that is started on a copy finds them as its own. What it remembers of insert tokens
 * (deduplication_logs) is left out: it is ahead of the parts, and would take a repeated insert for done.
 * @param prefix the data directory's place in the copy
 */
export async function frozenFiles(dataDir: string, prefix: string): Promise<FileTree> {
  const live = await walkTree(dataDir, prefix, (path, isDirectory) => {
    const [top, ...below] = path.split('/')
    if (top !== 'metadata' && top !== 'data' && top !== 'store') return false
    // store/abc/abcdef…/ is a table: its parts come from what was frozen; its version and its mutations lie beside them.
    return !(top === 'store' && isDirectory && below.length > 2)
  })
  const files = live.files.map((file) => (/\/mutation_\d+\.txt$/.test(file.path) ? { ...file, mayVanish: true } : file))
  const shadow = join(shadowOf(dataDir), frozenName, 'store')
  const hasParts = await access(shadow).then(
    () => true,
    () => false,
  )
  return joinTrees({ ...live, files }, ...(hasParts ? [await walkTree(shadow, `${prefix}/store`)] : []))
}
