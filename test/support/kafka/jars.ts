import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { artifactMissing, fetchArtifact } from '../maven.ts'

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
const atOnce = 8

const jars: readonly Jar[] = Object.entries(lock.jars).map(([name, sha256]) => {
  const [group, artifact, version] = name.split(':') as [string, string, string]
  const file = `${artifact}-${version}.jar`
  return { file, path: `${group.replaceAll('.', '/')}/${artifact}/${version}/${file}`, sha256 }
})

/** Undefined when the jars are cached or the repository answers; else what is wrong. */
export async function jarsAtHand(): Promise<string | undefined> {
  const missing = await missingJars()
  if (missing.length === 0) return
  const why = await artifactMissing(missing[0]!)
  return why && `Kafka's jars are not cached and ${why}`
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

/** Returns its bytes. */
async function download(jar: Jar, signal: AbortSignal): Promise<number> {
  const check = (bytes: Buffer): Buffer => {
    if (digest(bytes) !== jar.sha256) throw new Error('its SHA-256 is not the one in jars.json')
    return bytes
  }
  const bytes = await fetchArtifact(jar, check, signal)
  const part = join(cacheFolder, `${jar.file}.${process.pid}.part`)
  try {
    await writeFile(part, bytes)
    await rename(part, join(cacheFolder, jar.file))
  } finally {
    await rm(part, { force: true })
  }
  return bytes.length
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
