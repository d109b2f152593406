import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/*
 * Kafka and what it needs, from Maven Central. jars.json (made by lock.ts) names each jar with its SHA-256. A jar gets its
 * name in the cache only when it is whole, so runs may share the folder; and each start reads all of them again (40 MB,
 * some 100 ms), so that a damaged cache repairs itself.
 */
interface Lock {
  readonly kafka: string
  /** SHA-256 by group:artifact:version. */
  readonly jars: Readonly<Record<string, string>>
}

interface Jar {
  readonly file: string
  readonly path: string
  readonly sha256: string
}

const lock = JSON.parse(readFileSync(new URL('jars.json', import.meta.url), 'utf8')) as Lock
/** Shared by all runs on this tree; gone with node_modules. */
export const cacheFolder = fileURLToPath(
  new URL(`../../../node_modules/.cache/splitstream/kafka-${lock.kafka}/`, import.meta.url),
)
const repository = (process.env.MAVEN_REPOSITORY || 'https://repo1.maven.org/maven2').replace(/\/+$/, '')
const atOnce = 8
const attempts = 4
const attemptTimeoutMs = 60_000
/** The largest of today has 10 MB. */
const maxBytes = 64 * 2 ** 20

const jars: readonly Jar[] = Object.entries(lock.jars).map(([name, sha256]) => {
  const [group, artifact, version] = name.split(':') as [string, string, string]
  const file = `${artifact}-${version}.jar`
  return { file, path: `${group.replaceAll('.', '/')}/${artifact}/${version}/${file}`, sha256 }
})

/** Undefined when the jars are cached or the repository answers; else what is wrong. */
export async function jarsAtHand(): Promise<string | undefined> {
  const missing = await missingJars()
  if (missing.length === 0) return
  try {
    const url = `${repository}/${missing[0]!.path}`
    const { status } = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(10_000) })
    return status === 200 ? undefined : `Kafka's jars are not cached and ${repository} answers ${status}`
  } catch (error) {
    return `Kafka's jars are not cached and ${repository} cannot be reached (${reason(error)})`
  }
}

/** Downloads what is missing, and returns the class path. @throws Error when a jar cannot be had. */
export async function ensureJars(): Promise<string[]> {
  const missing = await missingJars()
  if (missing.length > 0) await downloadAll(missing)
  return jars.map(({ file }) => join(cacheFolder, file))
}

async function missingJars(): Promise<Jar[]> {
  const whole = await Promise.all(
    jars.map(async ({ file, sha256 }) => {
      const bytes = await readFile(join(cacheFolder, file)).catch(() => undefined)
      return bytes !== undefined && digest(bytes) === sha256
    }),
  )
  return jars.filter((_, i) => !whole[i])
}

async function downloadAll(missing: readonly Jar[]): Promise<void> {
  await mkdir(cacheFolder, { recursive: true })
  const from = performance.now()
  let [done, bytes] = [0, 0]
  const say = (end: string): void => {
    const seconds = ((performance.now() - from) / 1000).toFixed(1)
    const text = `Kafka ${lock.kafka}: ${done} of ${missing.length} jars, ${(bytes / 1e6).toFixed(1)} MB, ${seconds} s`
    if (process.stderr.isTTY) process.stderr.write(`\r${text}${end}`)
    else if (end !== '') process.stderr.write(`${text}${end}`)
  }
  const queue = [...missing]
  const failed = new AbortController()
  const worker = async (): Promise<void> => {
    for (let jar = queue.shift(); jar; jar = queue.shift()) {
      const size = await download(jar, failed.signal)
      bytes += size // after the wait: the others count as well
      done++
      say('')
    }
  }
  say('')
  try {
    await Promise.all(Array.from({ length: atOnce }, worker))
  } catch (error) {
    failed.abort()
    throw error
  } finally {
    say('\n')
  }
}

/** Asking again does not help. */
class Refused extends Error {}

/** Returns its bytes. */
async function download(jar: Jar, signal: AbortSignal): Promise<number> {
  const url = `${repository}/${jar.path}`
  for (let attempt = 1; ; attempt++) {
    try {
      const bytes = await get(url, AbortSignal.any([signal, AbortSignal.timeout(attemptTimeoutMs)]))
      if (digest(bytes) !== jar.sha256) throw new Error('its SHA-256 is not the one in jars.json')
      const part = join(cacheFolder, `${jar.file}.${process.pid}.part`)
      try {
        await writeFile(part, bytes)
        await rename(part, join(cacheFolder, jar.file))
      } finally {
        await rm(part, { force: true })
      }
      return bytes.length
    } catch (error) {
      if (attempt === attempts || signal.aborted || error instanceof Refused)
        throw new Error(`cannot download ${url}: ${reason(error)}`)
      await delay(250 * 2 ** attempt)
    }
  }
}

async function get(url: string, signal: AbortSignal): Promise<Buffer> {
  const response = await fetch(url, { signal })
  const { status } = response
  if (status !== 200) {
    await response.body?.cancel()
    const forGood = status >= 400 && status < 500 && status !== 408 && status !== 429
    throw new (forGood ? Refused : Error)(`HTTP ${status}`)
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > maxBytes) throw new Error(`more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** What fetch says is only "fetch failed"; the cause tells why. */
function reason(error: unknown): string {
  const { cause, message } = error as Error
  const why = cause instanceof Error ? cause.message : message
  const proxy = process.env.HTTPS_PROXY ?? process.env.https_proxy
  return proxy && !process.env.NODE_USE_ENV_PROXY ? `${why}; to go through your proxy, set NODE_USE_ENV_PROXY=1` : why
}
