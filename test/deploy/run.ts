import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url))

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Written to its standard input. */
  readonly input?: string
  readonly cwd?: string
  /** Default 300,000 ms. */
  readonly timeoutMs?: number
}

/** Runs a program to its end. @returns its standard output @throws Error with all that it wrote when it fails */
export function run(program: string, args: readonly string[], o: RunOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...o.env }
    const options = { cwd: o.cwd ?? root, env, maxBuffer: 64 << 20, timeout: o.timeoutMs ?? 300_000 }
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error)
        reject(new Error(`${program} ${args.join(' ')}:\n${stderr}${stdout}${stderr + stdout ? '' : error.message}`))
      else resolve(stdout)
    })
    child.stdin?.on('error', () => undefined) // it ended without reading: its exit code says so
    child.stdin?.end(o.input ?? '')
  })
}

/** Whether a program of that name answers. */
export const answers = (program: string, ...args: string[]): Promise<boolean> =>
  run(program, args).then(
    () => true,
    () => false,
  )
