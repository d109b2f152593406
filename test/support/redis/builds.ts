import { createHash } from 'node:crypto'
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inflateRawSync } from 'node:zlib'
import { fetchArtifact } from '../maven.ts'

/*
 * Real redis-server builds, as the jar `embedded-redis` carries them for Java's tests: the only place known from which one
 * comes without root, a compiler or a package manager, for good at the same address. A jar is a zip file, so a build is a
 * deflated range of its bytes: only that is fetched. For another version: `unzip -v` names the builds, and an entry's bytes
 * begin after its local header.
 */
const version = '1.4.4'
const path = `com/github/codemonstur/embedded-redis/${version}/embedded-redis-${version}.jar`

export interface Build {
  readonly name: string
  readonly offset: number
  readonly size: number
  /** Of the program. */
  readonly sha256: string
}

const linuxAmd64: Build = {
  name: 'redis-server-6.2.6-v5-linux-amd64',
  offset: 4_124_543,
  size: 4_064_881,
  sha256: '1f716094e08a25faee2bc7626feb9e13464ed89018ac5c376c5e9cff06bdcf52',
}
const linux386: Build = {
  name: 'redis-server-6.2.7-linux-386',
  offset: 8_189_482,
  size: 1_999_564,
  sha256: '7439d339751e396cef7205a3169c96f1c53661f65d473b8d086e2d1826f48145',
}
const linuxArm64: Build = {
  name: 'redis-server-6.2.7-linux-arm64',
  offset: 10_189_106,
  size: 1_760_117,
  sha256: '036a23aa65bfb31d2a048aa96c170b38c2fbd4f1de68ef0f9c3133dd4b1474cd',
}
const darwinAmd64: Build = {
  name: 'redis-server-6.2.6-v5-darwin-amd64',
  offset: 920_409,
  size: 2_476_175,
  sha256: '7a4eb450d90a6ce9a2c651cfc4a0613b980a270c6426cbb6fa42d6c3beec9ce8',
}
const darwinArm64: Build = {
  name: 'redis-server-6.2.6-v5-darwin-arm64',
  offset: 3_396_648,
  size: 727_832,
  sha256: 'c523aec5a9b6f565cff0271ef67f5c51fa83e1180e3e954ab5251b3cf6282b76',
}

/** By process.platform and process.arch, in the order in which they are tried. */
export const builds: Readonly<Record<string, readonly Build[]>> = {
  // The first needs glibc and OpenSSL 3; the second is static, and runs on musl and without OpenSSL.
  'linux-x64': [linuxAmd64, linux386],
  'linux-arm64': [linuxArm64],
  'darwin-x64': [darwinAmd64],
  'darwin-arm64': [darwinArm64],
}

/** Shared by all runs on this tree; gone with node_modules. */
const cacheFolder = fileURLToPath(
  new URL(`../../../node_modules/.cache/splitstream/redis-${version}/`, import.meta.url),
)

/** The path of the program; it is downloaded unless it is cached whole. @throws Error when it cannot be had */
export async function ensureBuild({ name, offset, size, sha256 }: Build): Promise<string> {
  const file = join(cacheFolder, name)
  const cached = await readFile(file).catch(() => undefined)
  if (cached && digest(cached) === sha256) return file

  process.stderr.write(`fetching ${name}, ${(size / 1e6).toFixed(1)} MB\n`)
  const program = await fetchArtifact({ path, part: { offset, size } }, (bytes) => {
    const inflated = inflateRawSync(bytes)
    if (digest(inflated) !== sha256) throw new Error(`the SHA-256 of ${name} is not the one in builds.ts`)
    return inflated
  })
  await mkdir(cacheFolder, { recursive: true })
  const part = `${file}.${process.pid}.part`
  try {
    await writeFile(part, program)
    await chmod(part, 0o755)
    await rename(part, file)
  } finally {
    await rm(part, { force: true })
  }
  return file
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
