import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type RunningServer, type ServerOptions, startServer as start } from '../../src/cli/server-process.ts'

export { freePort, type RunningServer, type ServerExit, type ServerOptions } from '../../src/cli/server-process.ts'

const bundledNode = fileURLToPath(new URL('../../node_modules/node/bin/node', import.meta.url))

/**
 * Starts the real server (`node src/main.ts`) on a free port with a temporary DATA_DIR, and waits until it is ready. It
 * always runs on the Node that came with `npm ci`, whatever runs the test.
 */
export function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  return start(existsSync(bundledNode) ? { node: bundledNode, ...options } : options)
}
