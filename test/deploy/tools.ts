import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { madeOnce, placeOf } from '../support/made-once.ts'
import { answers, root, run } from './run.ts'

/*
 * The tools that the files in deploy/ are checked with. What the machine has is taken; else they come from where the machine gets its
 * packages, into the folder of what is fetched once. Versions are pinned by requirements.txt, the go.sum of each program, and by Debian.
 */
const once = (name: string, make: (folder: string) => Promise<void>) => madeOnce(`deploy/${name}`, make)

/** A program and what its environment needs. */
export interface Tool {
  readonly program: string
  readonly env?: Readonly<Record<string, string>>
}

/** The folder of programs of a Python that has the packages in requirements.txt. Runs of pip at the same time would be one too many. */
let python: Promise<string> | undefined
export function pythonTools(): Promise<string> {
  python ??= makePython()
  return python
}

async function makePython(): Promise<string> {
  const requirements = join(root, 'test/deploy/requirements.txt')
  const version = (await run('python3', ['--version'])).trim()
  const digest = createHash('sha256').update(version).update(readFileSync(requirements)).digest('hex').slice(0, 12)
  // The programs of a venv hold its path: it is made where it stays, and a file says that it is whole.
  const folder = placeOf(`deploy/python-${digest}`)
  const whole = join(folder, 'whole')
  if (!existsSync(whole)) {
    await run('python3', ['-m', 'venv', '--clear', folder])
    const pip = [
      '-m',
      'pip',
      'install',
      '-q',
      '--disable-pip-version-check',
      '--only-binary',
      ':all:',
      '--require-hashes',
    ]
    await run(join(folder, 'bin/python'), [...pip, '-r', requirements])
    await mkdir(whole)
  }
  return join(folder, 'bin')
}

/** Programs of their own folder here, each around the code that the tool itself runs: the loader of Docker Compose, and so on. */
export const composeConfig = (): Promise<string> => goProgram('compose-config')
export const dashboardSchema = (): Promise<string> => goProgram('dashboard-schema')
export const collectorConfig = (): Promise<string> => goProgram('collector-config')

/** Built once, which takes some minutes for the larger ones. */
async function goProgram(name: string): Promise<string> {
  const source = join(root, 'test/deploy', name)
  const hash = createHash('sha256')
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(source, file)))
  const folder = await once(`${name}-${hash.digest('hex').slice(0, 12)}`, async (draft) => {
    await run('go', ['build', '-o', join(draft, name), '.'], { cwd: source, timeoutMs: 1_200_000 })
  })
  return join(folder, name)
}

export const promtool = (): Promise<Tool> => debian('promtool', ['prometheus'])
export const haproxy = (): Promise<Tool> =>
  debian('haproxy', ['haproxy', 'liblua5.3-0', 'libopentracing-c-wrapper0', 'libopentracing1'])

/** From the path, else unpacked from Debian's packages, which apt checks the signatures of; nothing is installed. */
async function debian(name: string, packages: readonly string[]): Promise<Tool> {
  if (await answers(name, name === 'haproxy' ? '-v' : '--version')) return { program: name }
  const folder = await once(name, async (draft) => {
    const download = () => run('apt-get', ['download', '-qq', ...packages], { cwd: draft })
    // The lists of packages may be missing.
    await download().catch(async () => {
      await run('apt-get', ['update', '-qq'])
      await download()
    })
    for (const file of readdirSync(draft)) await run('dpkg-deb', ['-x', join(draft, file), draft])
  })
  const lib = join(folder, 'usr/lib')
  const libraries = existsSync(lib) ? readdirSync(lib).map((triple) => join(lib, triple)) : []
  const place = ['usr/bin', 'usr/sbin'].map((bin) => join(folder, bin, name)).find((path) => existsSync(path))
  if (place === undefined) throw new Error(`${packages[0]} of this Debian has no ${name}: install it`)
  return { program: place, env: { LD_LIBRARY_PATH: libraries.join(':') } }
}
