import { setTimeout as delay } from 'node:timers/promises'

/** Where artifacts come from: MAVEN_REPOSITORY, else Maven Central. */
const repository = (process.env.MAVEN_REPOSITORY || 'https://repo1.maven.org/maven2').replace(/\/+$/, '')
const attempts = 4
const attemptTimeoutMs = 60_000
/** The largest of today has 12 MB. */
const maxBytes = 64 * 2 ** 20

export interface Artifact {
  /** In the repository: group/artifact/version/file. */
  readonly path: string
  /** Only these bytes of it: offset of the first, and how many. */
  readonly part?: { readonly offset: number; readonly size: number }
}

/** Undefined when the repository has it; else what is wrong. */
export async function artifactMissing({ path }: Artifact): Promise<string | undefined> {
  try {
    const { status } = await fetch(`${repository}/${path}`, { method: 'HEAD', signal: AbortSignal.timeout(10_000) })
    return status === 200 ? undefined : `${repository} answers ${status}`
  } catch (error) {
    return `${repository} cannot be reached (${reason(error)})`
  }
}

/**
 * Downloads it, again when that may help, and returns what `accept` makes of its bytes; `accept` throws for bytes that are
 * not the right ones. @throws Error with the address
 */
export async function fetchArtifact<T>(
  artifact: Artifact,
  accept: (bytes: Buffer) => T,
  signal: AbortSignal = new AbortController().signal,
): Promise<T> {
  const url = `${repository}/${artifact.path}`
  for (let attempt = 1; ; attempt++) {
    try {
      return accept(await get(url, artifact.part, AbortSignal.any([signal, AbortSignal.timeout(attemptTimeoutMs)])))
    } catch (error) {
      if (attempt === attempts || signal.aborted || error instanceof Refused)
        throw new Error(`cannot download ${url}: ${reason(error)}`)
      await delay(250 * 2 ** attempt)
    }
  }
}

/** Asking again does not help. */
class Refused extends Error {}

async function get(url: string, part: Artifact['part'], signal: AbortSignal): Promise<Buffer> {
  const headers = part ? { range: `bytes=${part.offset}-${part.offset + part.size - 1}` } : {}
  const response = await fetch(url, { headers, signal })
  const { status } = response
  if (status !== 200 && !(part && status === 206)) {
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
  const bytes = Buffer.concat(chunks)
  // A repository may send the whole file whatever was asked for.
  return part && status === 200 ? bytes.subarray(part.offset, part.offset + part.size) : bytes
}

/** What fetch says is only "fetch failed"; the cause tells why. */
function reason(error: unknown): string {
  const { cause, message } = error as Error
  const why = cause instanceof Error ? cause.message : message
  const proxy = process.env.HTTPS_PROXY ?? process.env.https_proxy
  return proxy && !process.env.NODE_USE_ENV_PROXY ? `${why}; to go through your proxy, set NODE_USE_ENV_PROXY=1` : why
}
