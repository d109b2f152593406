import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { AppError, messageOf } from '@splitstream/kernel'
import type { Config } from '../../config.ts'
import { listen } from '../../edge/listen.ts'
import { type Check, type Finding, fail, ok, warn } from './check.ts'

/** Whether a start could listen where it is told to. Taken for a moment, and given back. */
export function portChecks(config: Config): Check[] {
  const checks: Check[] = [{ name: 'PORT', run: (signal) => checkPort(config, config.PORT, 'PORT', signal) }]
  if (config.INTERNAL_TLS_CERT !== undefined) {
    const { INTERNAL_PORT: port } = config
    checks.push({ name: 'INTERNAL_PORT', run: (signal) => checkPort(config, port, 'INTERNAL_PORT', signal) })
  }
  if (config.SHARE_PORT && process.platform === 'linux') {
    const setting = (): Promise<string | undefined> => readFile(migration, 'utf8').catch(() => undefined)
    checks.push({ name: 'SHARE_PORT', run: async () => judgeHandOver(await setting()) })
  }
  return checks
}

/** What becomes of connections that nobody has accepted when a socket that shares its port is closed (Linux, ip-sysctl.rst). */
const migration = '/proc/sys/net/ipv4/tcp_migrate_req'

/** @param migrates what the file says; undefined when there is none */
export function judgeHandOver(migrates: string | undefined): Finding {
  if (migrates?.trim() === '1') return ok('connections that wait go on to the next process')
  const lost = 'connections that a process has not accepted yet are reset when it stops'
  return migrates === undefined
    ? warn('connections that wait are not handed over', `${lost}: Linux 5.14 and later can do that`)
    : warn('net.ipv4.tcp_migrate_req=0', `${lost}: sysctl -w net.ipv4.tcp_migrate_req=1`)
}

async function checkPort(
  { HOST, SHARE_PORT }: Config,
  port: number,
  setting: string,
  signal: AbortSignal,
): Promise<Finding> {
  const at = `${HOST}:${port}`
  if (port === 0) return ok('a free one is picked')
  const server = createServer()
  try {
    await listen(server, { host: HOST, port, shared: SHARE_PORT })
    return ok(`${at} is free`)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    const cause = error.cause
    const inUse = cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE'
    if (inUse && (await isSplitstream(HOST, port, signal)))
      return ok(`${at} is in use, by a Splitstream that runs already`)
    return fail(at, messageOf(error).replaceAll('set PORT', `set ${setting}`))
  } finally {
    server.close()
  }
}

async function isSplitstream(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  const answer = await fetch(`${urlOf(host, port)}/health/live`, { signal }).catch(() => undefined)
  const body: unknown = await answer?.json().catch(() => undefined)
  return typeof body === 'object' && body !== null && 'status' in body && body.status === 'live'
}

/** Where a process that listens there is reached from here. */
export function urlOf(host: string, port: number): string {
  const reached = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`
}
