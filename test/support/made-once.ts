import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Of what tests fetch or build once for a clone. */
const cache = fileURLToPath(new URL('../../node_modules/.cache/splitstream/', import.meta.url))

/** Where something is kept that is made once. */
export const placeOf = (name: string): string => join(cache, name)

/** A folder of the cache, made whole or not at all. */
export async function madeOnce(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = placeOf(name)
  if (existsSync(folder)) return folder
  const draft = `${folder}.${process.pid}`
  await rm(draft, { recursive: true, force: true })
  await mkdir(draft, { recursive: true })
  try {
    await make(draft)
    await rename(draft, folder)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  return folder
}
