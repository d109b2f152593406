import { execFileSync } from 'node:child_process'
import { closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const isRoot = process.getuid?.() === 0

/** @throws Error that says what is needed. */
export function requireRoot(what: string): void {
  if (!isRoot) throw new Error(`${what} mounts file systems: it needs root, and was NOT run`)
}

/** Why no disks can be made here, to be filled and broken; undefined when they can: one is tried. Root in a container often cannot. */
export function disksUnavailable(): string | undefined {
  if (!isRoot) return 'only root mounts disks'
  const dir = mkdtempSync(join(tmpdir(), 'splitstream-disk-'))
  try {
    makeImage(join(dir, 'image'), 8)
    mountImage(join(dir, 'image'), join(dir, 'disk'))
    unmount(join(dir, 'disk'))
    return undefined
  } catch (error) {
    return `no disk can be mounted: ${error instanceof Error ? error.message : String(error)}`
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

const mounted = new Set<string>()

process.once('exit', () => {
  for (const dir of [...mounted]) {
    try {
      unmount(dir)
    } catch (error) {
      console.error(`could not unmount ${dir}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
})
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(130))

/** An empty ext4 file system in a sparse file. */
export function makeImage(path: string, mib: number): void {
  run('truncate', ['-s', `${mib}M`, path])
  run('mke2fs', ['-q', '-t', 'ext4', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', path])
}

/** Mounts an image over a loop device, which the kernel frees by itself when it is unmounted. */
export function mountImage(path: string, dir: string): void {
  mkdirSync(dir, { recursive: true })
  run('mount', ['-o', 'loop,noatime', path, dir])
  mounted.add(dir)
}

export function mountTmpfs(dir: string, mib: number): void {
  mkdirSync(dir, { recursive: true })
  run('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', dir])
  mounted.add(dir)
}

const pause = new Int32Array(new SharedArrayBuffer(4))

export function unmount(dir: string): void {
  if (!mounted.has(dir)) return
  // Processes that were just killed hold the disk until the kernel has cleared them away.
  for (const until = performance.now() + 15_000; ; Atomics.wait(pause, 0, 0, 100)) {
    try {
      run('umount', [dir])
      break
    } catch (error) {
      if (performance.now() > until) throw error
    }
  }
  mounted.delete(dir)
}

/** Only the blocks that hold something; shares them where the file system can. */
export function copyImage(from: string, to: string): void {
  run('cp', ['--sparse=always', '--reflink=auto', from, to])
}

/** Writes a file until only `leave` bytes are free. */
export function fillDisk(path: string, disk: string, leave: number): void {
  const file = openSync(path, 'w')
  try {
    const block = Buffer.alloc(1 << 20)
    for (;;) {
      const { bavail, bsize } = statfsSync(disk)
      const room = bavail * bsize - leave
      if (room <= 0) break
      if (writeSync(file, block, 0, Math.min(block.length, room)) === 0) break
    }
    fsyncSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error // full is what was wanted
  } finally {
    closeSync(file)
  }
}

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
