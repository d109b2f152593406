import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type RunningServer, type ServerOptions, startServer as start } from '../../src/cli/server-process.ts'
import { freePorts } from './kafka/ports.ts'

export type { RunningServer, ServerExit, ServerOptions } from '../../src/cli/server-process.ts'

const bundledNode = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url))

/** A port that nobody takes by accident, not even while its server is away to come back (ports.ts). */
export async function freePort(): Promise<number> {
  return (await freePorts(1))[0]!
}

/**
 * Starts the real server (`node src/main.ts`) on a free port with a temporary DATA_DIR, and waits until it is ready. It
 * always runs on the Node that came with `npm ci`, whatever runs the test.
 */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const port = options.port ?? (await freePort())
  return start({ ...(existsSync(bundledNode) && { node: bundledNode }), ...options, port })
}
