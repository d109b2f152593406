import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { guardFolder } from '../../../support/kafka/guardian.ts'
import { freePorts } from '../../../support/kafka/ports.ts'
import { onEnd, temporaryFolder } from '../../cleanup.ts'
import { startChild } from '../child.ts'
import { resolvePeer } from '../peers/cache.ts'
import type { Question } from '../peers/messages.ts'
import type { Engine } from './engine.ts'

const readyMs = 60_000

/** One node with its default settings (24 partitions, fsync), on loopback, without telemetry, with 512 MiB for RocksDB. */
export const restate: Engine = {
  label: 'Restate',
  start: async (participant) => {
    // By default the SDK writes two lines for each saga, which costs more than its work.
    const service = startChild<Question>(new URL('../peers/restate.ts', import.meta.url), { RESTATE_LOGGING: 'ERROR' })
    const serviceUrl = await service.ask<string>({ participant })
    const server = await startServer()
    await register(server.admin, serviceUrl)
    return {
      target: { url: server.ingress, path: '/order/run', headers: {} },
      pids: [server.pid, service.pid],
      stop: async () => {
        await server.stop()
        await service.stop()
      },
    }
  },
}

async function startServer() {
  const folder = temporaryFolder()
  const guardian = guardFolder(folder.path)
  const [ingress, admin, fabric] = (await freePorts(3)) as [number, number, number]
  const platform = `${process.platform}-${process.arch}`
  const binary = resolvePeer(`@restatedev/restate-server-${platform}/bin/restate-server`)
  const server = spawn(binary, ['--no-logo', '--base-dir', folder.path, '--node-name', 'bench'], {
    cwd: folder.path,
    env: {
      RESTATE_LISTEN_MODE: 'tcp',
      RESTATE_BIND_IP: '127.0.0.1',
      RESTATE_ADVERTISED_HOST: '127.0.0.1',
      RESTATE_BIND_PORT: String(fabric),
      RESTATE_INGRESS__BIND_PORT: String(ingress),
      RESTATE_ADMIN__BIND_PORT: String(admin),
      RESTATE_DISABLE_TELEMETRY: 'true',
      RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE: '512.0 MiB',
      // It asks GitHub for its latest release, and says so when it cannot.
      RESTATE_LOG_FILTER: 'error,octocrab=off',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const exited = once(server, 'exit')
  if (server.pid !== undefined) guardian.began(server.pid)
  const stop = onEnd(async () => {
    server.kill('SIGKILL')
    await exited
    guardian.dismiss()
    await folder.remove()
  })
  const url = (port: number): string => `http://127.0.0.1:${port}`
  await ready(server, `${url(admin)}/health`)
  await ready(server, `${url(ingress)}/restate/health`)
  return { ingress: url(ingress), admin: url(admin), pid: server.pid ?? 0, stop }
}

async function ready(server: ChildProcess, url: string): Promise<void> {
  const deadline = performance.now() + readyMs
  while (performance.now() < deadline && server.exitCode === null) {
    const answer = await fetch(url).catch(() => undefined)
    await answer?.arrayBuffer()
    if (answer?.ok) return
    await delay(50)
  }
  throw new Error(`the Restate server is not ready: ${url}`)
}

/** Tells the server of the service, which it then asks what it offers. */
async function register(admin: string, uri: string): Promise<void> {
  const answer = await fetch(`${admin}/deployments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ uri }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`Restate does not take the service: ${answer.status} ${text}`)
}
