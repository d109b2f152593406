import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { progress } from '../../progress.ts'
import { peersFolder } from './cache.ts'

const timeoutMs = 300_000

/** Installs the peers (240 MB) from their own lock file, once. @throws Error when npm cannot. */
export async function installPeers(): Promise<void> {
  if (existsSync(peersFolder)) return
  progress('installing the peers (npm ci, once)')
  const part = `${peersFolder.slice(0, -1)}.${process.pid}.part`
  try {
    await mkdir(part, { recursive: true })
    for (const name of ['package.json', 'package-lock.json']) {
      await copyFile(fileURLToPath(new URL(name, import.meta.url)), `${part}/${name}`)
    }
    // No scripts: the only one among them reports the installation to its vendor.
    const args = ['ci', '--prefix', part, '--ignore-scripts', '--no-audit', '--no-fund']
    await promisify(execFile)('npm', args, { cwd: part, timeout: timeoutMs })
    await mkdir(dirname(peersFolder), { recursive: true })
    await rename(part, peersFolder)
  } catch (error) {
    if (existsSync(peersFolder)) return // another run was first
    throw new Error('the peers cannot be installed: npm ci failed', { cause: error })
  } finally {
    await rm(part, { recursive: true, force: true })
  }
}
