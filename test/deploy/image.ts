import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, delimiter, join, relative } from 'node:path'
import { isRoot } from '../chaos/mounts.ts'
import { freePort, startServer } from '../support/server.ts'
import { type Instruction, isIgnored, stagesOf } from './docker-instructions.ts'
import { root, run } from './run.ts'

/**
 * What the Dockerfile makes, without a daemon: its COPY and RUN lines are done in a folder, and its CMD is started there by its
 * USER, with its ENV and its HEALTHCHECK. What comes of the base image is this machine's, but Node: that is of the same version.
 */
export async function checkImage(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'splitstream-image-'))
  try {
    chmodSync(folder, 0o711)
    const [dependencies, image] = stagesOf(readFileSync(join(root, 'Dockerfile'), 'utf8'))
    if (!dependencies || !image) throw new Error('Dockerfile: the check expects two stages')
    const node = nodeOfBase(folder)
    const app = await build(folder, dependencies, image, node)
    await start(folder, app, image, node)
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}

/** The base image's Node, where every user can read it. @returns its path */
function nodeOfBase(folder: string): string {
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  copyFileSync(join(root, 'node_modules/node/bin/node'), join(bin, 'node'))
  return join(bin, 'node')
}

async function build(
  folder: string,
  dependencies: readonly Instruction[],
  image: readonly Instruction[],
  node: string,
): Promise<string> {
  const [installed, app] = [join(folder, 'dependencies'), join(folder, 'app')]
  for (const place of [installed, app]) mkdirSync(place, { mode: 0o755 })
  for (const { rest } of instructions(dependencies, 'COPY')) copy(rest, installed)
  const env = { PATH: `${join(node, '..')}${delimiter}${process.env.PATH}` }
  for (const { rest } of instructions(dependencies, 'RUN')) await run('sh', ['-c', rest], { cwd: installed, env })
  for (const { rest, options } of instructions(image, 'COPY')) {
    if (options.includes('--from=dependencies')) {
      const name = basename(rest.split(/\s+/)[0]!)
      renameSync(join(installed, name), join(app, name))
    } else copy(rest, app)
  }
  return app
}

const instructions = (stage: readonly Instruction[], keyword: string): Instruction[] =>
  stage.filter((instruction) => instruction.keyword === keyword)

/** COPY source… target: files into the target's folder, the content of a folder into the target. */
function copy(rest: string, place: string): void {
  const ignore = readFileSync(join(root, '.dockerignore'), 'utf8')
  const paths = rest.split(/\s+/)
  const target = join(place, paths.pop()!)
  for (const path of paths) {
    if (isIgnored(ignore, path)) throw new Error(`Dockerfile: COPY ${path}, which .dockerignore leaves out`)
    const filter = (from: string) => !isIgnored(ignore, relative(root, from))
    const to = rest.endsWith('/') ? join(target, basename(path)) : target
    cpSync(join(root, path), to, { recursive: true, filter })
  }
}

async function start(folder: string, app: string, image: readonly Instruction[], node: string): Promise<void> {
  const settings = instructions(image, 'ENV').flatMap(({ rest }) => rest.split(/\s+/).map((each) => each.split('=')))
  const [program, entry] = commandOf(instructions(image, 'CMD')[0]?.rest)
  if (program !== 'node') throw new Error(`Dockerfile: CMD starts ${program}, and the check knows only node`)
  const home = join(folder, 'home')
  mkdirSync(home, { mode: 0o700 })
  const account = await accountOf(instructions(image, 'USER')[0]?.rest ?? '')
  if (account) chownSync(home, account.uid, account.gid)
  const port = await freePort()
  const server = await startServer({
    // Without those of the CI, which are no part of the image.
    env: { ...Object.fromEntries(settings), HOME: home, HOST: '127.0.0.1' },
    dataDir: join(home, 'data'),
    cwd: app,
    entry: join(app, entry!),
    port,
    node,
    ...(account && { account }),
  })
  try {
    const health = commandOf(instructions(image, 'HEALTHCHECK')[0]?.rest.replace(/^CMD /, ''))
    await run(node, health.slice(1), { env: { PORT: String(port) } })
    const ready = await fetch(`${server.url}/health/ready`)
    if (ready.status !== 200) throw new Error(`/health/ready answers ${ready.status}`)
    await storeOne(server.url, server.adminKey)
    const code = await server.stop()
    if (code !== 0) throw new Error(`it stops with ${code}:\n${server.output()}`)
  } finally {
    await server.stop()
  }
}

/** The exec form: it alone gets signals. */
function commandOf(text = ''): string[] {
  if (!text.startsWith('[')) throw new Error(`Dockerfile: ${text || 'a command is missing, or'} is not in exec form`)
  return JSON.parse(text) as string[]
}

/** The image's user; where the machine has no such one, nobody, as initdb needs a passwd entry. Undefined: only root can choose. */
async function accountOf(user: string): Promise<{ uid: number; gid: number } | undefined> {
  const [uid, gid] = user.split(':').map(Number)
  if (!uid || !gid) throw new Error(`Dockerfile: USER ${user} is not two numbers, and not root's`)
  if (!isRoot) return undefined
  const known = new RegExp(`^[^:]*:[^:]*:${uid}:`, 'm').test(readFileSync('/etc/passwd', 'utf8'))
  return known ? { uid, gid } : { uid: 65_534, gid: 65_534 }
}

async function storeOne(url: string, key: string): Promise<void> {
  const answer = await fetch(`${url}/v1/events?wait=stored`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: '{"id":"1","source":"/image","type":"t"}',
  })
  if (answer.status !== 200) throw new Error(`an event gets ${answer.status}: ${await answer.text()}`)
}
