import { randomBytes } from 'node:crypto'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AppError } from '@splitstream/kernel'

/*
 * One owner for a directory. Since a start ends a server that an earlier life left behind, it must first be sure that
 * the earlier life is over. The file `owner` names the process: pid and the instant it started, so that a recycled pid is
 * not mistaken for it. States: absent → held; held by a dead process → moved aside → held.
 * Postgres' own interlock stays the guard against two servers; this one keeps us from stopping a live neighbour's.
 */

/** Claims `directory` for this process and returns how to give it back. @throws AppError CONFLICT while another holds it. */
export async function claimDirectory(directory: string): Promise<() => Promise<void>> {
  const file = join(directory, 'owner')
  const mine = `${process.pid} ${await bornAt(process.pid)} ${randomBytes(8).toString('hex')}\n`
  for (let attempt = 0; attempt < 5; attempt++) {
    const draft = `${file}.${randomBytes(6).toString('hex')}`
    await writeFile(draft, mine, { mode: 0o600 })
    try {
      // link() is create-if-absent with the content already in place: no reader sees half a file.
      await link(draft, file)
      return async () => {
        if ((await readFile(file, 'utf8').catch(() => '')) === mine) await rm(file, { force: true })
      }
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    } finally {
      await rm(draft, { force: true })
    }
    await removeDead(file)
  }
  throw new AppError('CONFLICT', 'The Postgres directory is being claimed by another process')
}

async function removeDead(file: string): Promise<void> {
  const found = await readFile(file, 'utf8').catch(() => undefined)
  if (found === undefined) return
  const [pid, born] = found.trim().split(' ')
  if (Number(pid) > 0 && born !== undefined && (await bornAt(Number(pid))) === born) {
    throw new AppError('CONFLICT', `The embedded Postgres is in use by process ${pid}: one process for each DATA_DIR`)
  }
  const aside = `${file}.${randomBytes(6).toString('hex')}`
  await rename(file, aside).catch(() => undefined)
  // Between reading and renaming somebody else may have claimed it: then it goes back.
  const moved = await readFile(aside, 'utf8').catch(() => undefined)
  if (moved !== undefined && moved !== found) await link(aside, file).catch(() => undefined)
  await rm(aside, { force: true })
}

/** When a process started, as a text that no later process of the same pid has; '' when there is none. */
async function bornAt(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
    // The name in brackets may hold spaces: fields are counted from the last bracket. Start time is field 22.
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
    if (!line || fields[0] === 'Z') return ''
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
    return `${boot.trim()}/${fields[19]}`
  }
  const { execFile } = await import('node:child_process')
  return await new Promise((resolve) => {
    execFile('ps', ['-o', 'lstart=', '-p', String(pid)], (_, stdout) => resolve(stdout.trim().replaceAll(' ', '-')))
  })
}
