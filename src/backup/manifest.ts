import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '@splitstream/kernel'
import { z } from 'zod'
import { isMissing } from '../engines/missing.ts'

export const manifestFile = 'manifest.json'

/** Below the folder of the backup, and nowhere else, whoever wrote it. */
const relativePath = z
  .string()
  .max(4_096)
  .refine(
    (path) => path.split('/').every((part) => part !== '' && part !== '.' && part !== '..') && !/[\\\0]/.test(path),
  )

/** From a folder that is `path`'s to something that is below the same root. */
const staysInside = ({ path, target }: { path: string; target: string }): boolean => {
  let depth = path.split('/').length - 1
  for (const part of target.split('/')) {
    if (part === '..') depth--
    else if (part !== '.' && part !== '') depth++
    if (depth < 1) return false
  }
  return !target.startsWith('/')
}

const manifestSchema = z.strictObject({
  /** Of the backup's layout. */
  format: z.literal(1),
  name: z.string(),
  /** Of Splitstream. */
  version: z.string(),
  /** Operating system and processor: the files of Postgres are read by no other. */
  platform: z.string(),
  startedAt: z.iso.datetime(),
  /** The named point: what was acknowledged before is in the backup. */
  takenAt: z.iso.datetime(),
  /** Events that were acknowledged before this are in it too. */
  eventsAt: z.iso.datetime(),
  /** Where the log ends. */
  position: z.string(),
  directories: z.array(relativePath),
  links: z.array(z.strictObject({ path: relativePath, target: z.string().max(4_096) }).refine(staysInside)),
  files: z.array(
    z.strictObject({
      path: relativePath,
      size: z.number().int().min(0),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
})

/** What a backup holds. It is written last: without one, a folder is no backup. */
export type Manifest = z.infer<typeof manifestSchema>

export const platform = `${process.platform}-${process.arch}`

export const bytesOf = (manifest: Pick<Manifest, 'files'>): number =>
  manifest.files.reduce((sum, file) => sum + file.size, 0)

/** Fsynced, with the folder. */
export async function writeManifest(dir: string, manifest: Manifest): Promise<void> {
  await writeSynced(join(dir, manifestFile), `${JSON.stringify(manifest)}\n`)
  await syncFolder(dir)
}

/** Undefined when the folder has none. @throws AppError CONFIG_INVALID for one that cannot be relied on */
export async function readManifest(dir: string): Promise<Manifest | undefined> {
  let text: string
  try {
    text = await readFile(join(dir, manifestFile), 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  const parsed = manifestSchema.safeParse(jsonOf(text))
  if (parsed.success) return parsed.data
  const { path, message } = parsed.error.issues[0]!
  throw new AppError(
    'CONFIG_INVALID',
    `The manifest of the backup is damaged, or of a newer version: ${path.join('.')}: ${message}`,
  )
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A new file, on the disk when this returns; its folder is not. */
export async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
