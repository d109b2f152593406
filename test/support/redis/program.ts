import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { builds, ensureBuild } from './builds.ts'

const run = promisify(execFile)
let found: Promise<string> | undefined

/**
 * The path of a redis-server that runs here: REDIS_SERVER, else the one on the PATH, else one that is downloaded (once, 4 MB
 * at most) from Maven Central. @throws Error saying what was tried
 */
export function redisProgram(): Promise<string> {
  found ??= find()
  return found
}

/** Why there can be no Redis here and what would change that; undefined when there can be. */
export async function redisUnavailable(): Promise<string | undefined> {
  return await redisProgram().then(
    () => undefined,
    (error: Error) => error.message,
  )
}

async function find(): Promise<string> {
  const named = process.env.REDIS_SERVER
  if (named) {
    const why = await whyNot(named)
    if (why === undefined) return named
    throw new Error(`REDIS_SERVER is ${named}, which does not run: ${why}`)
  }
  if ((await whyNot('redis-server')) === undefined) return 'redis-server'

  const tried: string[] = []
  for (const build of builds[`${process.platform}-${process.arch}`] ?? []) {
    const why = await ensureBuild(build).then(whyNot, (error: Error) => error.message)
    if (why === undefined) return await ensureBuild(build)
    tried.push(`${build.name}: ${why}`)
  }
  if (tried.length === 0) tried.push(`none can be fetched for ${process.platform}-${process.arch}`)
  throw new Error(`there is no redis-server here (${tried.join('; ')}). Install one, or set REDIS_SERVER to its path`)
}

/** Undefined when it runs. */
async function whyNot(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(program, ['--version'], { timeout: 10_000 })
    return / v=\d/.test(stdout) ? undefined : `it answers ${stdout.slice(0, 100)}`
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string }
    return stderr?.trim() || message
  }
}
