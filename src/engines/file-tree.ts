import { lstat, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from './missing.ts'

/** A file to be copied. */
export interface TreeFile {
  readonly from: string
  /** Below the root of the copy. */
  readonly path: string
  /** Bytes, when it was looked at. */
  readonly size: number
  /** It may be gone when it is copied, and is then not needed. */
  readonly mayVanish?: boolean
}

/** What a copy consists of. Paths are relative, with `/`. */
export interface FileTree {
  /** Each comes after its parent. */
  readonly directories: readonly string[]
  /** Symbolic links, with their relative targets. */
  readonly links: readonly { readonly path: string; readonly target: string }[]
  readonly files: readonly TreeFile[]
}

/** Whether a folder's entry belongs to the copy; of a folder, whether it does with all that is in it. */
export type Keeps = (path: string, isDirectory: boolean) => boolean

/** All below `root` that `keeps` wants, at `prefix` of the copy. What vanishes meanwhile is left out. */
export async function walkTree(root: string, prefix: string, keeps: Keeps = () => true): Promise<FileTree> {
  const directories: string[] = [prefix]
  const links: { path: string; target: string }[] = []
  const files: TreeFile[] = []
  // Grows while it is gone through; a folder's path is the key to its parent's.
  for (const at of directories) {
    const below = at.slice(prefix.length + 1)
    for (const entry of await present(readdir(join(root, below), { withFileTypes: true }), [])) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`
      if (!keeps(path, entry.isDirectory())) continue
      if (entry.isDirectory()) directories.push(`${prefix}/${path}`)
      else if (entry.isSymbolicLink())
        links.push({ path: `${prefix}/${path}`, target: await readlink(join(root, path)) })
      else if (entry.isFile()) {
        const found = await present(lstat(join(root, path)), undefined)
        if (found) files.push({ from: join(root, path), path: `${prefix}/${path}`, size: found.size })
      }
    }
  }
  return { directories, links, files }
}

/** One tree of several. */
export function joinTrees(...trees: readonly FileTree[]): FileTree {
  return {
    directories: [...new Set(trees.flatMap((tree) => tree.directories))],
    links: trees.flatMap((tree) => tree.links),
    files: trees.flatMap((tree) => tree.files),
  }
}

async function present<T, D>(found: Promise<T>, otherwise: D): Promise<T | D> {
  try {
    return await found
  } catch (error) {
    if (isMissing(error)) return otherwise
    throw error
  }
}
