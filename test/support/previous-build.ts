import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { programMissing } from './program-missing.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
const scope = '@splitstream'

/** An earlier version, ready to be run. */
export interface PreviousBuild {
  readonly folder: string
  remove(): Promise<void>
}

/**
 * The version that test/compat/previous.json names, out of this repository's history, in a folder of its own. Packages of
 * others are those of the present version; its own are its own.
 * @throws Error where it is not to be had (previousBuildUnavailable)
 */
export async function previousBuild(): Promise<PreviousBuild> {
  const commit = await pinned()
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-previous-'))
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    await unpack(commit, folder)
    await linkPackages(folder)
    return { folder, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

/** Why there is none here, and what would change that; undefined when it can be taken from the history. */
export async function previousBuildUnavailable(): Promise<string | undefined> {
  const missing = programMissing('git')
  if (missing !== undefined) return `the version before is taken from the history, and ${missing}`
  const commit = await pinned()
  const found = run('git', ['cat-file', '-e', `${commit}^{tree}`], { cwd: root })
  return await found.then(
    () => undefined,
    () =>
      `test/compat/previous.json names the commit ${commit}, which is not in this clone: fetch the whole history ` +
      '(git fetch --unshallow; in CI a clone without depth)',
  )
}

async function pinned(): Promise<string> {
  const pin = await readFile(join(root, 'test/compat/previous.json'), 'utf8')
  return (JSON.parse(pin) as { commit: string }).commit
}

async function unpack(commit: string, folder: string): Promise<void> {
  // With an index of its own, so that the one of the clone stays as it is.
  const options = { cwd: root, env: { ...process.env, GIT_INDEX_FILE: join(folder, 'index') } }
  await run('git', ['read-tree', commit], options)
  await run('git', ['checkout-index', '--all', `--prefix=${folder}/`], options)
}

async function linkPackages(folder: string): Promise<void> {
  const modules = join(folder, 'node_modules')
  await mkdir(join(modules, scope), { recursive: true })
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (name !== scope) await symlink(join(root, 'node_modules', name), join(modules, name))
  }
  // As npm links workspaces. With those of the present version, parts of it would run in the earlier one.
  await symlink(join(folder, 'src/kernel'), join(modules, scope, 'kernel'))
  for (const name of await readdir(join(folder, 'modules'))) {
    await symlink(join(folder, 'modules', name), join(modules, scope, name))
  }
}
