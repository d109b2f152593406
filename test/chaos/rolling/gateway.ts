import { type ChildProcess, spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { a, startNameServer } from '../../../src/discovery/dns/name-server.fixture.ts'
import { haproxy } from '../../deploy/tools.ts'
import type { Guardian } from '../../support/kafka/guardian.ts'
import { freePorts } from '../../support/kafka/ports.ts'
import { until } from '../listening.ts'

/** HAProxy with the configuration that is deployed, and the names that it goes by. */
export interface Gateway {
  readonly url: string
  readonly names: { add(name: string, address: string): void; remove(name: string, address: string): void }
  /** Resolves when it has so many servers of each module. @throws Error when that does not come to be */
  untilServing(modules: readonly string[], servers: number): Promise<void>
  stop(): Promise<void>
}

const shipped = fileURLToPath(new URL('../../../deploy/gateway/', import.meta.url))

/** @param port of all processes, each at an address of its own */
export async function startGateway(port: number, guardian: Guardian): Promise<Gateway> {
  const names = await startNameServer()
  const [open, operations] = await freePorts(2)
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-gateway-'))
  const config = join(folder, 'haproxy.cfg')
  await cp(shipped, folder, { recursive: true })
  await writeFile(config, placed(await readFile(config, 'utf8'), [open!, operations!, port], names.address))
  const { program, env } = await haproxy()
  const child = spawn(program, ['-db', '-f', config], { env: { ...process.env, ...env, DOMAIN: '' }, stdio: 'ignore' })
  guardian.began(child.pid!)
  const serving = async (): Promise<string> => (await fetch(`http://127.0.0.1:${operations}/metrics`)).text()
  return {
    url: `http://127.0.0.1:${open}`,
    names: {
      add: (name, address) => {
        names.records = [...names.records, a(name, address, 5)]
      },
      remove: (name, address) => {
        names.records = names.records.filter(
          (record) => record.name !== name || !('data' in record) || record.data !== address,
        )
      },
    },
    untilServing: (modules, servers) =>
      until(async () => {
        const text = await serving().catch(() => '')
        return modules.every((one) => text.includes(`haproxy_backend_active_servers{proxy="${one}"} ${servers}\n`))
      }, `the gateway has ${servers} servers of each module`),
    stop: async () => {
      await ended(child)
      names.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The same configuration on loopback. @throws Error when it is not as it was, and something would be left as it is */
function placed(text: string, [open, operations, port]: readonly number[], nameServer: string): string {
  const edits = [
    ['bind :8080', `bind 127.0.0.1:${open}`, 1],
    ['bind :8405', `bind 127.0.0.1:${operations}`, 1],
    ['parse-resolv-conf', `nameserver test ${nameServer}`, 1],
    ['${DOMAIN}:8080"', `\${DOMAIN}:${port}"`, 4],
  ] as const
  return edits.reduce((config, [find, replace, times]) => {
    if (config.split(find).length !== times + 1) throw new Error(`haproxy.cfg: "${find}" is not there ${times} times`)
    return config.replaceAll(find, () => replace)
  }, text)
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exit
}
