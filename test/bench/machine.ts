import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Where and on what the figures were measured: name and value. */
export function describeMachine(): [string, string][] {
  return [
    ['CPU', cpus()[0]?.model ?? 'unknown'],
    ['cores', String(availableParallelism())],
    ['memory', `${(totalmem() / 2 ** 30).toFixed(1)} GiB`],
    ['Node', process.version],
    ['OS', `${distribution()}, kernel ${release()}`],
    ['commit', commit()],
    ['date', new Date().toISOString().slice(0, 16).replace('T', ' ').concat(' UTC')],
  ]
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="(.+)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? process.platform
  } catch {
    return process.platform // not a Linux with that file
  }
}

/** With a + when the tree differs from the commit. */
function commit(): string {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '+')
  } catch {
    return 'unknown' // not a checkout
  }
}
