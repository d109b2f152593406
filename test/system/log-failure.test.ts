import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { programMissing } from '../support/program-missing.ts'
import { describeUnless } from '../support/suite.ts'
import { ask, figures, newDataDir, once, poll, post, start } from './lives.fixture.ts'

/** None of the process's files may grow beyond: a write is an I/O error then, as one of a disk. Its engines are left alone. */
const limitFiles = (pid: number, bytes: number | 'unlimited'): void =>
  void execFileSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`])

const isAlive = async (url: string): Promise<boolean> => (await ask(url, 'GET', '/health/live')).status === 200

// Of util-linux: elsewhere there is none.
describeUnless(programMissing('prlimit'), 'a log that cannot be written', () => {
  it('recovers, or ends its process', { timeout: 120_000 }, async () => {
    const dir = await newDataDir()
    const server = await start(dir, { LOG_PARTITIONS: '1' })
    let sent = 0
    const answers: number[] = []
    /** Sends until one is acknowledged, as a client does. */
    const sendOne = async (): Promise<void> => {
      await poll(async () => {
        const { status } = await post(server.url, sent, 1, { query: '', pad: 50_000 })
        if (answers.at(-1) !== status) answers.push(status)
        return status === 202 ? true : undefined
      })
      sent++
    }
    await sendOne()

    // The write-ahead log has each event and more, so it is there first; then the file takes them over.
    limitFiles(server.pid, 4 << 20)
    while (!answers.includes(502)) await sendOne()
    for (let n = 0; n < 5; n++) await sendOne()
    expect(answers.filter((status) => status !== 503)).toEqual([202, 502, 202])
    expect(await isAlive(server.url)).toBe(true)

    // Now there is no recovery.
    limitFiles(server.pid, 64 << 10)
    const { status } = await post(server.url, sent, 1, { query: '' })
    expect(status).toBe(502)
    await poll(async () => ((await ask(server.url, 'GET', '/health/ready')).status === 503 ? true : undefined))
    expect(await server.exited).toMatchObject({ code: 1 })
    expect(server.output()).toMatch(/the event log cannot be written: .*has to be started again/)

    const again = await start(dir, { LOG_PARTITIONS: '1' })
    await poll(async () => ((await post(again.url, sent, 1)).status === 200 ? true : undefined))
    expect(await figures(again.url)).toEqual(once(0, sent + 1))
  })
})
