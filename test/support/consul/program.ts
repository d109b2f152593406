import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { placeOf } from '../made-once.ts'
import { isExecutable } from '../program-missing.ts'

/** The folder of the Consul that is built here (build.ts), by what it is built of. */
export function builtConsul(): string {
  const hash = createHash('sha256')
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(new URL(file, import.meta.url)))
  return `consul-${hash.digest('hex').slice(0, 12)}`
}

/** The program: CONSUL_BIN, else `consul` in PATH, else the one that was built here. Undefined when there is none. Consul 1.14 or newer. */
export function consulProgram(): string | undefined {
  const inPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'consul'))
  const places = [process.env.CONSUL_BIN, ...inPath, join(placeOf(builtConsul()), 'consul')]
  return places.find((path) => path && isExecutable(path))
}

/** Why the tests about Consul itself cannot run here; undefined when they can. */
export const consulUnavailable = (): string | undefined =>
  consulProgram() === undefined ? `no Consul: ${howToGetOne}` : undefined

const howToGetOne = 'set CONSUL_BIN, put consul into PATH, or build it: node test/support/consul/build.ts (needs Go)'
