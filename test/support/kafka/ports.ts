import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

const [lowest, highest, attempts] = [20_000, 32_000, 200]

/**
 * Different free loopback ports below the range that the system hands out for outgoing connections, so that nobody takes
 * one by accident while its broker is down. @throws Error when there are none.
 */
export async function freePorts(count: number): Promise<number[]> {
  const held: { port: number; server: Server }[] = []
  try {
    for (let attempt = 0; held.length < count; attempt++) {
      if (attempt === attempts) throw new Error(`found no ${count} free ports`)
      const port = lowest + Math.floor(Math.random() * (highest - lowest))
      const server = createServer().listen(port, '127.0.0.1')
      const free = await once(server, 'listening').then(
        () => true,
        () => false,
      )
      if (free) held.push({ port, server })
    }
    return held.map(({ port }) => port)
  } finally {
    await Promise.all(held.map(({ server }) => new Promise((resolve) => server.close(resolve))))
  }
}
