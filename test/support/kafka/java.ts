import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Kafka 4 brokers are compiled for this version. */
const OLDEST = 17

export interface Java {
  readonly path: string
  /** As it says it: 17.0.15, or 1.8.0_402 for Java 8. */
  readonly version: string
}

/** The Java of JAVA_HOME, else the one on the PATH; or what is missing. */
export async function findJava(): Promise<Java | { missing: string }> {
  const home = process.env.JAVA_HOME
  let tooOld: string | undefined
  for (const path of [...(home ? [join(home, 'bin', 'java')] : []), 'java']) {
    const version = await versionOf(path)
    if (version !== undefined && Number.parseInt(version, 10) >= OLDEST) return { path, version }
    tooOld ??= version
  }
  return { missing: tooOld === undefined ? 'there is no Java' : `Java ${tooOld} is older than ${OLDEST}` }
}

async function versionOf(java: string): Promise<string | undefined> {
  try {
    const { stderr } = await run(java, ['-version'], { timeout: 10_000 })
    return /version "([\w.+-]+)"/.exec(stderr)?.[1]
  } catch {
    return undefined // not there, or a stub that only says where to get one
  }
}

export interface JavaRun {
  readonly jars: readonly string[]
  readonly heapMb: number
  /** Native libraries are unpacked here, and a JVM that is killed leaves them. */
  readonly folder: string
  readonly options?: readonly string[]
}

/** Arguments of `java` up to the name of the main class. */
export function javaArguments({ jars, heapMb, folder, options = [] }: JavaRun): string[] {
  return [
    ...[`-Xmx${heapMb}m`, '-XX:+UseSerialGC', '-XX:-UsePerfData', `-Djava.io.tmpdir=${folder}`],
    ...['-Duser.language=en', '-Djava.awt.headless=true', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'],
    ...[...options, '-cp', jars.join(':')],
  ]
}

/** No JAVA_TOOL_OPTIONS and the like: the same JVM for everybody. */
export const javaEnvironment = { PATH: process.env.PATH ?? '', LC_ALL: 'C' }
