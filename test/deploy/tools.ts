import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { debian, type Tool } from '../support/debian.ts'
import { madeOnce, placeOf } from '../support/made-once.ts'
import { root, run } from './run.ts'

/*
 * The tools that the files in deploy/ are checked with. What the machine has is taken; else they come from where the machine gets its
 * packages, into the folder of what is fetched once. Versions are pinned by requirements.txt, the go.sum of each program, and by Debian.
 */
const once = (name: string, make: (folder: string) => Promise<void>) => madeOnce(`deploy/${name}`, make)

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
  debian('haproxy', ['haproxy', 'liblua5.3-0', 'libopentracing-c-wrapper0', 'libopentracing1'], '-v')
