import { settings } from '../../src/config.ts'
import { root, run } from './run.ts'

/** What a container is given by the Dockerfile. */
const image = { HOST: '0.0.0.0', PORT: '8080', DATA_DIR: '/data' }
const nothing = Object.fromEntries(Object.keys(settings.shape).map((name) => [name, '']))
const foreign = /^(NODE_|TZ$)/

/** @throws Error naming `who` when the product would not start with these settings, or does not know one */
export async function checkSettings(who: string, given: Readonly<Record<string, string>>): Promise<void> {
  const unknown = Object.keys(given).filter((name) => !(name in settings.shape) && !foreign.test(name))
  if (unknown.length > 0) throw new Error(`${who}: there is no setting ${unknown.join(', ')}`)
  const env = { ...nothing, ...image, ...given }
  await run(process.execPath, ['src/cli/bin.ts', 'topology', '--json'], { cwd: root, env }).catch((error: Error) => {
    throw new Error(`${who}: ${error.message}`)
  })
}
