import { createHash } from 'node:crypto'
import { copyFile, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from './jars.ts'
import type { Java } from './java.ts'

/*
 * The classes of a broker as the JVM lays them out in memory (class-data sharing): half the processor time of a start and
 * a sixth less memory. The first cluster on a machine makes it when it stops, from the node that ran all along. The JVM
 * ignores an archive that was made by another JVM, or of jars with other times, so its name tells these apart.
 */
export interface ClassArchive {
  /** JVM options of every process that runs Kafka's classes. */
  readonly use: readonly string[]
  /** JVM options of the one broker that makes it, and what to do with its file when it has shut down in good order. */
  readonly make: { readonly options: readonly string[]; keep(): Promise<void> } | undefined
}

/** `folder`: a temporary one, where the JVM writes. */
export async function classArchive(java: Java, jars: readonly string[], folder: string): Promise<ClassArchive> {
  const times = await Promise.all(jars.map(async (jar) => Math.floor((await stat(jar)).mtimeMs / 1000)))
  const fingerprint = createHash('sha256').update(times.join()).digest('hex').slice(0, 12)
  const family = `java-${java.version}-`
  const name = `${family}${fingerprint}.jsa`
  const path = join(cacheFolder, name)
  if (await stat(path).catch(() => undefined)) return { use: [`-XX:SharedArchiveFile=${path}`], make: undefined }

  const draft = join(folder, 'classes.jsa')
  const part = `${path}.${process.pid}.part`
  const keep = async (): Promise<void> => {
    try {
      await copyFile(draft, part) // the cache may lie on another file system
      await rename(part, path)
    } catch {
      return rm(part, { force: true }) // not written, or no room: the next cluster tries again
    }
    for (const other of await readdir(cacheFolder)) {
      if (other.startsWith(family) && other.endsWith('.jsa') && other !== name) await rm(join(cacheFolder, other))
    }
  }
  return { use: [], make: { options: [`-XX:ArchiveClassesAtExit=${draft}`], keep } }
}
