import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { freePort } from '../support/server.ts'

export const root = fileURLToPath(new URL('../../', import.meta.url))
const node = join(root, 'node_modules/node/bin/node')
export const run = promisify(execFile)

export interface Row {
  readonly check: string
  readonly verdict: string
  readonly measured: string
  readonly advice?: string
}

export interface Diagnosis {
  readonly code: number
  /** By the name of the check. */
  readonly rows: Map<string, Row>
}

/** The real command, in a folder and with these settings alone. @throws Error with what it says instead of a report */
export async function doctor(dir: string, env: Record<string, string>, ...args: string[]): Promise<Diagnosis> {
  const { PATH = '', HOME = '' } = process.env
  const port = String(await freePort())
  const options = { cwd: dir, env: { PATH, HOME, DATA_DIR: join(dir, 'data'), PORT: port, ...env } }
  const ran = await run(node, [join(root, 'src/cli/bin.ts'), 'doctor', '--json', ...args], options).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
  if (ran.stdout === '') throw new Error(ran.stderr)
  const { ok, checks } = JSON.parse(ran.stdout) as { ok: boolean; checks: Row[] }
  expect(ok).toBe(ran.code === 0)
  return { code: ran.code, rows: new Map(checks.map((row) => [row.check, row])) }
}
