import { access, constants } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { AppError } from '@splitstream/kernel'

const platforms: Readonly<Record<string, string>> = {
  'linux-x64': '@chdb/lib-linux-x64-gnu',
  'linux-arm64': '@chdb/lib-linux-arm64-gnu',
  'darwin-x64': '@chdb/lib-darwin-x64',
  'darwin-arm64': '@chdb/lib-darwin-arm64',
}

export interface EngineLibrary {
  readonly name: string
  /** Resolves and loads as the package chdb does. */
  readonly require: NodeJS.Require
}

/** The package that holds the engine of this platform. @throws AppError CONFIG_INVALID when there is none */
export function engineLibrary(): EngineLibrary {
  const name = platforms[`${process.platform}-${process.arch}`]
  if (!name) {
    throw new AppError('CONFIG_INVALID', `There is no embedded ClickHouse for ${process.platform} ${process.arch}`)
  }
  return { name, require: createRequire(createRequire(import.meta.url).resolve('chdb')) }
}

/** Where the engine is, without loading its 300 MB. @throws AppError CONFIG_INVALID when npm did not install it whole */
export async function findEngineLibrary(): Promise<string> {
  const { name, require } = engineLibrary()
  try {
    const folder = dirname(require.resolve(name))
    await access(join(folder, 'chdb_node.node'), constants.R_OK)
    return folder
  } catch (cause) {
    throw new AppError('CONFIG_INVALID', 'The embedded ClickHouse is not installed', { cause })
  }
}
