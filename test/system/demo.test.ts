import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))

it('npm run demo loads three million flights, answers, and stops', async () => {
  // With a key it would ask a server that is there already.
  const { SPLITSTREAM_KEY: _, ...env } = process.env
  // Some 20 s on an idle machine.
  const { stdout } = await promisify(execFile)('npm', ['run', '--silent', 'demo'], { cwd: root, env, timeout: 580_000 })
  expect(stdout).toMatch(/^rows read +3,000,000$/m)
  expect(stdout).toMatch(/^accepted +3,000,000, all stored and visible to queries$/m)
  expect(stdout).toMatch(/^rejected +0$/m)
  expect(stdout).toMatch(/^flights +airports +miles\n[ -]+\n3000000 +229 +2194861208$/m)
  // Each question has its columns, and rows.
  const questions = stdout.match(/^.+\? {2}\(\d+ ms\)$/gm) ?? []
  const tables = stdout.match(/^.+\? {2}\(\d+ ms\)\n.+\n[ -]+\n\S.+$/gm) ?? []
  expect([questions.length, tables.length]).toEqual([7, 6])
  expect(stdout).toMatch(/more than an hour late\? {2}\(\d+ ms\)\n5\.07 %$/m)
  expect(stdout).toMatch(/\nThe server has stopped\.\n$/)
}, 600_000)
