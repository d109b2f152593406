import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { ask, figures, newDataDir, once, poll, post, send, start } from './lives.fixture.ts'

const cli = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url))

interface View {
  readonly state: string
  readonly takenAt: string | null
  readonly error?: { readonly code: string }
}

const begin = (url: string, name: string) => ask(url, 'POST', '/v1/backups', JSON.stringify({ name }))

async function viewOf(url: string, name: string): Promise<View> {
  return (await (await ask(url, 'GET', `/v1/backups/${name}`)).json()) as View
}

async function ended(url: string, name: string): Promise<View> {
  return await poll(async () => {
    const view = await viewOf(url, name)
    return view.state === 'running' ? undefined : view
  })
}

/** What the command says; its exit code is 0, or it throws. */
async function restore(backup: string, dataDir: string): Promise<string> {
  const args = ['--disable-warning=ExperimentalWarning', cli, 'restore', backup, '--data-dir', dataDir]
  return (await promisify(execFile)(process.execPath, args)).stdout
}

/** Reads a stream until there is this text in it. @throws Error when it ends before */
async function comes(stream: Response, text: string): Promise<void> {
  let seen = ''
  for await (const piece of stream.body!.pipeThrough(new TextDecoderStream())) {
    seen += piece
    if (seen.includes(text)) return
  }
  throw new Error(`the stream ended without ${text}`)
}

async function places() {
  const home = await newDataDir()
  const [data, backups] = [join(home, 'data'), join(home, 'backups')]
  return { data, backups, env: { BACKUP_DIR: backups, MIN_FREE_BYTES: '0' }, fresh: join(home, 'restored') }
}

/** Each test starts the server several times. */
describe('a backup', { timeout: 240_000 }, () => {
  it('is restored into an empty directory, twice if need be, and what came after it is refused or taken again', async () => {
    const { data, backups, env, fresh } = await places()
    const first = await start(data, env)
    await send(first.url, 0, 1_000)
    expect((await begin(first.url, 'one')).status).toBe(202)
    expect(await ended(first.url, 'one')).toMatchObject({ state: 'complete', takenAt: expect.any(String) })
    const after = await post(first.url, 1_000, 500)
    const { position } = (await after.json()) as { position: string }
    await first.stop()

    for (const dir of [fresh, `${fresh}-again`]) {
      expect(await restore(join(backups, 'one'), dir)).toContain('every checksum is right')
      const life = await start(dir, env)
      expect(await figures(life.url)).toEqual(once(0, 1_000))
      const read = () => ask(life.url, 'GET', `/v1/events?limit=1&after=${position}`)
      expect((await read()).status).toBe(400)
      // Who has seen what came after the backup goes on behind it, from before anything is appended.
      const stream = await ask(life.url, 'GET', `/v1/events/stream?after=${position}`)
      expect(stream.status).toBe(200)
      await send(life.url, 0, 1_500)
      await comes(stream, '"id":"1499"')
      expect(await figures(life.url)).toEqual(once(0, 1_500))
      expect((await read()).status).toBe(400)
      await life.stop()
      const again = await start(dir, env)
      expect(again.output()).not.toMatch(/rows are missing|more rows than were confirmed|not on record/)
      // A backup of what was restored is as good.
      expect((await begin(again.url, 'next')).status).toBe(dir === fresh ? 202 : 409)
      if (dir === fresh) expect(await ended(again.url, 'next')).toMatchObject({ state: 'complete' })
      await again.stop()
    }
    await restore(join(backups, 'next'), `${fresh}-next`)
    const last = await start(`${fresh}-next`, env)
    expect(await figures(last.url)).toEqual(once(0, 1_500))
  })

  it('that is damaged, or goes where something is, is not restored', async () => {
    const { data, backups, env, fresh } = await places()
    const life = await start(data, env)
    await send(life.url, 0, 100)
    await begin(life.url, 'one')
    await ended(life.url, 'one')
    await life.stop()
    const backup = join(backups, 'one')
    await expect(restore(backup, data)).rejects.toThrow(/is not empty/)

    const log = join(backup, 'log', 'log.db')
    const bytes = await readFile(log)
    bytes[bytes.length - 1]! ^= 1
    await writeFile(log, bytes)
    await expect(restore(backup, fresh)).rejects.toThrow(/log\/log\.db of the backup is damaged/)
    expect(await readdir(fresh)).toEqual([])
    await writeFile(log, bytes.subarray(1))
    await expect(restore(backup, fresh)).rejects.toThrow(/has \d+ bytes in place of/)
    await rm(log)
    await expect(restore(backup, fresh)).rejects.toThrow(/log\/log\.db is missing/)
    await rm(join(backup, 'manifest.json'))
    await expect(restore(backup, fresh)).rejects.toThrow(/no complete backup/)
    await mkdir(join(fresh, '.restoring'), { recursive: true })
    await expect(start(fresh)).rejects.toThrow(/was cut off: empty it/)
  })

  it('has a checked name, needs a folder, is one at a time, and leaves nothing when it is cancelled', async () => {
    const { data, backups, env } = await places()
    const slow = { ...env, BACKUP_BYTES_PER_SECOND: String(1 << 20) }
    const life = await start(data, slow)
    for (const name of ['../one', '.one', 'a/b', '', 'x'.repeat(101)]) {
      expect((await begin(life.url, name)).status).toBe(400)
    }
    expect((await ask(life.url, 'GET', '/v1/backups/..%2Fdata')).status).toBe(400)
    expect((await begin(life.url, 'one')).status).toBe(202)
    expect((await begin(life.url, 'two')).status).toBe(409)
    expect((await ask(life.url, 'POST', '/v1/backups/one/cancel')).status).toBe(204)
    expect(await viewOf(life.url, 'one')).toMatchObject({ state: 'failed', error: { code: 'CANCELLED' } })
    expect(await readdir(backups)).toEqual([])
    expect(await readdir(join(data, 'clickhouse', 'data'))).not.toContain('shadow')

    expect((await begin(life.url, 'two')).status).toBe(202)
    life.kill('SIGKILL')
    await life.stop()
    expect(await readdir(backups)).toHaveLength(1)
    await cp(join(backups, (await readdir(backups))[0]!), join(backups, '.draft-of-another'), { recursive: true })
    const second = await start(data, slow)
    expect(await readdir(backups)).toEqual(['.draft-of-another'])
    await second.stop()

    const without = await start(data)
    const refused = await begin(without.url, 'one')
    expect([refused.status, await refused.text()]).toEqual([422, expect.stringContaining('BACKUP_DIR')])
    await without.stop()
    await expect(start(data, { BACKUP_DIR: join(data, 'backups') })).rejects.toThrow(/BACKUP_DIR lies in DATA_DIR/)
  })
})
