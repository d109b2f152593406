import { spawn } from 'node:child_process'
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
  /** SIGKILL. With that all that was registered is forgotten. */
  kill(): Promise<void>
  /** Again after kill(), at the same address. */
  start(): Promise<void>
  /** Ends it for good. */
  stop(): Promise<void>
}

const readyMs = 30_000

/** Resolves when it leads and answers. It ends with this process, however that ends. @throws Error without a program */
export async function startConsul(): Promise<ConsulServer> {
  const program = consulProgram()
  if (!program) throw new Error(consulUnavailable())
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-consul-'))
  const [http, server, lan, wan] = await freePorts(4)
  const guardian = guardFolder(folder)
  const ports = { http, server, serf_lan: lan, serf_wan: wan, dns: -1, grpc: -1, grpc_tls: -1 }
  const config = JSON.stringify({ ports, bind_addr: '127.0.0.1', disable_update_check: true, log_level: 'ERROR' })
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
  await ready()
  return {
    url,
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
