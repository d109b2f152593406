import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { guardFolder } from '../kafka/guardian.ts'
import { freePorts } from '../kafka/ports.ts'
import { redisProgram } from './program.ts'
import { type RedisServer, startServer } from './server.ts'

export type { RedisServer } from './server.ts'

export interface RedisServers {
  readonly servers: readonly RedisServer[]
  readonly urls: readonly string[]
  /** Ends all and removes their folders. */
  stop(): Promise<void>
}

/**
 * Real, independent Redis servers on loopback, three unless told otherwise. They end with this process, however it ends.
 * @param options arguments of each, such as `--requirepass`
 * @throws Error when there is no redis-server, or one does not get ready
 */
export async function startRedis(count = 3, options: readonly string[] = []): Promise<RedisServers> {
  const program = await redisProgram()
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-redis-'))
  const guardian = guardFolder(folder)
  const servers: RedisServer[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.kill()))
    await rm(folder, { recursive: true, force: true })
    guardian.dismiss()
  }
  try {
    for (const port of await freePorts(count)) {
      servers.push(await startServer({ program, port, folder: join(folder, `${port}`), options }, guardian))
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { servers, urls: servers.map(({ url }) => url), stop }
}
