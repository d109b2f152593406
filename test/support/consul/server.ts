import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { guardFolder } from '../kafka/guardian.ts'
import { freePorts } from '../kafka/ports.ts'
import { consulProgram, consulUnavailable } from './program.ts'

/** A real Consul for tests: one agent in development mode, which keeps everything in memory. */
export interface ConsulServer {
  readonly url: string
  /** Makes a token with these rules, in HCL. Only of a Consul that was started with tokens. @throws Error when it is refused */
  token(rules: string): Promise<string>
  /** SIGKILL. With that all that was registered is forgotten. */
  kill(): Promise<void>
  /** Again after kill(), at the same address. */
  start(): Promise<void>
  /** Ends it for good. */
  stop(): Promise<void>
}

const readyMs = 30_000

export interface ConsulSetup {
  /** Whoever comes without a token may do nothing; else nobody is asked for one. */
  readonly tokens?: boolean
}

/** Resolves when it leads and answers. It ends with this process, however that ends. @throws Error without a program */
export async function startConsul({ tokens = false }: ConsulSetup = {}): Promise<ConsulServer> {
  const program = consulProgram()
  if (!program) throw new Error(consulUnavailable())
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-consul-'))
  const [http, server, lan, wan] = await freePorts(4)
  const guardian = guardFolder(folder)
  const ports = { http, server, serf_lan: lan, serf_wan: wan, dns: -1, grpc: -1, grpc_tls: -1 }
  const master = randomUUID()
  const acl = { enabled: true, default_policy: 'deny', tokens: { initial_management: master } }
  const config = JSON.stringify({
    ports,
    bind_addr: '127.0.0.1',
    disable_update_check: true,
    log_level: 'ERROR',
    ...(tokens && { acl }),
  })
  const url = `http://127.0.0.1:${http}`

  const launch = () =>
    spawn(program, ['agent', '-dev', '-node', 'test', '-hcl', config], { cwd: folder, stdio: 'ignore' })
  let child = launch()
  const ready = async (): Promise<void> => {
    guardian.began(child.pid!)
    for (const end = performance.now() + readyMs; !(await leads(url)); await delay(100)) {
      if (child.exitCode !== null || performance.now() > end) throw new Error(`${program} did not get ready`)
    }
  }
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
    guardian.ended(child.pid!)
  }
  const make = async (what: string, body: object): Promise<Record<string, string>> => {
    const headers = { 'x-consul-token': master }
    const response = await fetch(`${url}/v1/acl/${what}`, { method: 'PUT', headers, body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`Consul makes no ${what}: ${response.status} ${await response.text()}`)
    return (await response.json()) as Record<string, string>
  }
  await ready()
  return {
    url,
    token: async (rules) => {
      const { Name } = await make('policy', { Name: randomUUID(), Rules: rules })
      return (await make('token', { Policies: [{ Name }] })).SecretID!
    },
    kill,
    start: async () => {
      child = launch()
      await ready()
    },
    stop: async () => {
      await kill()
      await rm(folder, { recursive: true, force: true })
      guardian.dismiss()
    },
  }
}

async function leads(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/v1/status/leader`)
    return response.ok && (await response.text()) !== '""'
  } catch {
    return false
  }
}
