import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

const lockFile = new URL('./package-lock.json', import.meta.url)
const version = createHash('sha256').update(readFileSync(lockFile)).digest('hex').slice(0, 12)

/** Where the peers are installed: shared by all runs on this tree, gone with node_modules. Another lock, another folder. */
export const peersFolder = fileURLToPath(
  new URL(`../../../../node_modules/.cache/splitstream/saga-peers-${version}/`, import.meta.url),
)

/** Loads a package of the peers; the product cannot see it. `T` states the part that is used. */
export const requirePeer = <T>(name: string): T => createRequire(`${peersFolder}package.json`)(name) as T

export const resolvePeer = (name: string): string => createRequire(`${peersFolder}package.json`).resolve(name)
