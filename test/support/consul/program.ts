import { createHash } from 'node:crypto'
import { accessSync, constants, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { placeOf } from '../made-once.ts'

/** The folder of the Consul that is built here (build.ts), by what it is built of. */
export function builtConsul(): string {
  const hash = createHash('sha256')
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(new URL(file, import.meta.url)))
  return `consul-${hash.digest('hex').slice(0, 12)}`
}

/**
 * The program: CONSUL_BIN, else `consul` in PATH, else the one that was built here. Undefined when there is none. Consul 1.14 or newer.
 * @throws Error in CI, where nothing may be left out
 */
export function consulProgram(): string | undefined {
  const inPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'consul'))
  const places = [process.env.CONSUL_BIN, ...inPath, join(placeOf(builtConsul()), 'consul')]
  const found = places.find((path) => path && isExecutable(path))
  if (found === undefined && process.env.CI) throw new Error(`no Consul: ${howToGetOne}`)
  return found
}

export const howToGetOne =
  'set CONSUL_BIN, put consul into PATH, or build it: node test/support/consul/build.ts (needs Go)'

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
