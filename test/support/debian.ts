import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { answers, run } from '../deploy/run.ts'
import { madeOnce } from './made-once.ts'

/** A program and what its environment needs. */
export interface Tool {
  readonly program: string
  readonly env?: Readonly<Record<string, string>>
  /** Where Debian's packages were unpacked: what would be /usr; undefined for a program of the machine. */
  readonly usr?: string
}

/**
 * From the path, else unpacked from Debian's packages, which apt checks the signatures of; nothing is installed.
 * @throws Error when there is neither
 */
export async function debian(name: string, packages: readonly string[], versionFlag = '--version'): Promise<Tool> {
  if (await answers(name, versionFlag)) return { program: name }
  const folder = await madeOnce(`debian/${name}`, async (draft) => {
    const download = () => run('apt-get', ['download', '-qq', ...packages], { cwd: draft })
    // The lists of packages may be missing.
    await download().catch(async () => {
      await run('apt-get', ['update', '-qq'])
      await download()
    })
    for (const file of readdirSync(draft)) await run('dpkg-deb', ['-x', join(draft, file), draft])
  })
  const usr = join(folder, 'usr')
  const lib = join(usr, 'lib')
  const libraries = existsSync(lib) ? readdirSync(lib).map((triple) => join(lib, triple)) : []
  const program = ['bin', 'sbin'].map((bin) => join(usr, bin, name)).find((path) => existsSync(path))
  if (program === undefined) throw new Error(`${packages[0]} of this Debian has no ${name}: install it`)
  return { program, env: { LD_LIBRARY_PATH: libraries.join(':') }, usr }
}
