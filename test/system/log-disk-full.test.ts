import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { disksUnavailable, fillDisk, mountTmpfs, unmount } from '../chaos/mounts.ts'
import { serverProcesses, signal } from '../chaos/processes.ts'
import { describeUnless } from '../support/suite.ts'
import { afterTest, ask, figures, newDataDir, once, poll, post, start } from './lives.fixture.ts'

const mib = 1 << 20
const code = async (response: Response): Promise<string> => ((await response.json()) as { code: string }).code

describeUnless(disksUnavailable(), 'a log that fills its disk', () => {
  it('gives up stored events as soon as there is room to, and is not dead from having tried before', async () => {
    const dir = await newDataDir()
    const disk = join(dir, 'log') // of its own: storage goes on while the log cannot
    mkdirSync(disk)
    mountTmpfs(disk, 128)
    afterTest(async () => unmount(disk))
    const filler = join(disk, 'filler')
    const server = await start(dir, { LOG_PARTITIONS: '1', LOG_RETAIN_BYTES: `${16 * mib}`, MIN_FREE_BYTES: '0' })
    fillDisk(filler, disk, 64 * mib) // events lie in it twice for a while: in the write-ahead log as well

    // Nothing is stored while the engine stands still, so that nothing may be given up before the disk is full.
    const { clickhouse } = serverProcesses(dir)
    signal(clickhouse!.pid, 'SIGSTOP')
    let sent = 0
    let position = ''
    const sendUntilFull = async (pad: number): Promise<void> => {
      for (;;) {
        const response = await post(server.url, sent, 1, { query: '', pad })
        if (response.status === 507) return
        expect(response.status).toBe(202)
        position = ((await response.json()) as { position: string }).position
        sent++
      }
    }
    await sendUntilFull(900_000)
    expect(sent * 900_000).toBeGreaterThan(18 * mib)
    // What a failed write has taken is room for smaller ones, and a deletion is small.
    fillDisk(`${filler}-2`, disk, 0)
    await sendUntilFull(0)
    signal(clickhouse!.pid, 'SIGCONT')
    await poll(async () => {
      const { status } = await ask(server.url, 'GET', `/v1/events?limit=1&after=${encodeURIComponent(position)}`)
      return status === 200 ? true : undefined
    })

    // From now on the log has more than it is to keep, and tries to delete it twice a second.
    for (const until = performance.now() + 2_000; performance.now() < until; ) {
      const response = await post(server.url, sent, 1, { query: '' })
      expect([response.status, await code(response)]).toEqual([507, 'DISK_FULL'])
    }
    expect(firstOffset(disk)).toBe(0)

    rmSync(filler)
    rmSync(`${filler}-2`)
    await poll(async () => ((await post(server.url, sent, 1)).status === 200 ? true : undefined))
    await poll(async () => (firstOffset(disk) > 0 ? true : undefined))
    expect(await figures(server.url)).toEqual(once(0, sent + 1))
  })
})

function firstOffset(logDir: string): number {
  const log = new DatabaseSync(join(logDir, 'log.db'), { readOnly: true })
  try {
    return Number(log.prepare('SELECT min(base_offset) AS first FROM partition_0').get()?.first)
  } finally {
    log.close()
  }
}
