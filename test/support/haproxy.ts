import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { haproxy } from '../deploy/tools.ts'
import { freePorts } from './kafka/ports.ts'

/** HAProxy with the configuration that is deployed, at free ports of loopback. */
export interface RunningHaproxy {
  /** What clients know. */
  readonly url: string
  /** The frontend for operators. */
  readonly operations: string
  /** SIGKILL. */
  stop(): Promise<void>
}

const shipped = fileURLToPath(new URL('../../deploy/gateway/', import.meta.url))
const readyMs = 10_000

/**
 * Resolves when it is ready.
 * @param servers of each backend, host:port; they are named after it: query-0, query-1, …
 * @param edit of the configuration, before it is placed
 * @throws Error when the configuration is not as it was, and something would be left as it is; when it does not get ready
 */
export async function startHaproxy(
  servers: Readonly<Record<string, readonly string[]>>,
  edit: (config: string) => string = (config) => config,
): Promise<RunningHaproxy> {
  const { program, env } = await haproxy()
  const [open, operations] = await freePorts(2)
  const config = placed(edit(await readFile(join(shipped, 'haproxy.cfg'), 'utf8')), servers, open!, operations!)
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-gateway-'))
  await cp(shipped, folder, { recursive: true })
  const file = join(folder, 'haproxy.cfg')
  await writeFile(file, config)
  const child = spawn(program, ['-db', '-f', file], { env: { ...process.env, ...env, DOMAIN: '' }, stdio: 'ignore' })
  const ended = once(child, 'exit')
  const running = {
    url: `http://127.0.0.1:${open}`,
    operations: `http://127.0.0.1:${operations}`,
    stop: async () => {
      child.kill('SIGKILL')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
  for (const end = performance.now() + readyMs; performance.now() < end; await delay(50)) {
    const ready = await fetch(`${running.url}/health/ready`).catch(() => undefined)
    if (ready?.status === 200) return running
  }
  await running.stop()
  throw new Error(`the gateway is not ready after ${readyMs / 1_000} s`)
}

function placed(
  text: string,
  servers: Readonly<Record<string, readonly string[]>>,
  open: number,
  operations: number,
): string {
  const edits = [
    ['bind :8080', `bind 127.0.0.1:${open}`],
    ['bind :8405', `bind 127.0.0.1:${operations}`],
    ...Object.entries(servers).map(([name, all]) => [
      `server-template ${name}- 8 "${name}\${DOMAIN}:8080"`,
      all.map((address, n) => `server ${name}-${n} ${address}`).join('\n  '),
    ]),
  ] as [string, string][]
  return edits.reduce((config, [find, replace]) => {
    if (config.split(find).length !== 2) throw new Error(`haproxy.cfg: "${find}" is not there once`)
    return config.replace(find, () => replace)
  }, text)
}
