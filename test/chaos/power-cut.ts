import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { startServer } from '../support/server.ts'
import { chaosKey } from './kill.ts'
import { Ledger } from './ledger.ts'
import { seeded } from './random.ts'
import { startSenders } from './senders.ts'
import { settle, type Verdict, verify } from './verify.ts'

const run = promisify(execFile)
const imageBytes = '3G'
const senders = 6

/**
 * A power cut without pulling a plug: the data lies on a loop-mounted ext4 image; copying the image file while it is
 * mounted takes what has reached the disk and leaves behind what is only in the page cache. What was acknowledged before
 * the copy began must be there when a server starts on the copy.
 */
export async function powerCuts(
  from: number,
  count: number,
  o: { root?: string; onRun(report: Verdict & { seed: number }): void },
) {
  if (process.getuid?.() !== 0) throw new Error('a power cut needs root: it mounts disk images')
  let failed = 0
  for (let seed = from; seed < from + count; seed++) {
    const verdict = await powerCut(seed, o.root)
    o.onRun({ seed, ...verdict })
    if (!verdict.ok) failed++
  }
  return failed
}

async function powerCut(seed: number, root: string | undefined): Promise<Verdict> {
  const random = seeded(seed)
  const base = await mkdtemp(join(tmpdir(), 'splitstream-power-'))
  const disk = async (name: string) => {
    const image = join(base, `${name}.img`)
    const mount = join(base, name)
    await mkdir(mount)
    return { image, mount }
  }
  const options = (dataDir: string) => ({
    dataDir,
    env: { ADMIN_KEY: chaosKey, LOG_LEVEL: 'warn', MIN_FREE_BYTES: '0' },
    readyTimeoutMs: 60_000,
    ...(root !== undefined && { entry: join(root, 'src/main.ts') }),
  })
  const before = await disk('before')
  const after = await disk('after')
  const mounted: string[] = []
  try {
    await run('truncate', ['-s', imageBytes, before.image])
    await run('mke2fs', ['-q', '-t', 'ext4', '-F', before.image])
    await run('mount', ['-o', 'loop', before.image, before.mount])
    mounted.push(before.mount)
    const server = await startServer(options(join(before.mount, 'data')))
    const ledger = new Ledger()
    const name = `cut-${seed}`
    const load = startSenders({ url: server.url, key: chaosKey }, ledger, { seed, run: name, senders, rate: 20_000 })
    let must: ReturnType<Ledger['snapshot']>
    try {
      await sleep(random.int(1_500, 5_000))
      must = ledger.snapshot()
      await run('cp', ['--sparse=always', before.image, after.image])
    } finally {
      await load.stop()
      server.kill('SIGKILL')
      await server.exited
    }
    // What was sent during the copy may be there or not.
    const everything = ledger.snapshot()
    for (const [id, entry] of everything) if (must.get(id)?.outcome !== 'acked') entry.outcome = 'unknown'
    await run('mount', ['-o', 'loop', after.image, after.mount])
    mounted.push(after.mount)
    const survivor = await startServer(options(join(after.mount, 'data')))
    try {
      const target = { url: survivor.url, key: chaosKey }
      await settle(target, name, senders, 60_000)
      return await verify(target, name, everything)
    } finally {
      await survivor.stop()
    }
  } finally {
    for (const mount of mounted.reverse()) await unmount(mount)
    await rm(base, { recursive: true, force: true })
  }
}

/** Killed processes let go of their files a moment later. */
async function unmount(mount: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await run('umount', [mount])
      return
    } catch (error) {
      if (attempt === 50) throw error
      await sleep(100)
    }
  }
}
