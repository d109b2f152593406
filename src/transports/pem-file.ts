import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { AppError } from '@splitstream/kernel'

/** A PEM file, and the setting that names it: errors say both. */
export interface PemFile {
  readonly setting: string
  readonly path: string
}

/** @throws AppError CONFIG_INVALID when it cannot be read */
export async function readPem({ setting, path }: PemFile): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : 'unknown'
    throw new AppError('CONFIG_INVALID', `${setting}: ${path} cannot be read (${code})`, { cause })
  }
}

/** What `work` gives. @throws AppError CONFIG_INVALID when it throws: the file is not what it has to be */
export function usable<T>({ setting, path }: PemFile, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    // OpenSSL's texts say what is wrong with a file, and nothing of what is in it.
    const why = cause instanceof Error ? cause.message : 'unknown'
    throw new AppError('CONFIG_INVALID', `${setting}: ${path} cannot be used: ${why}`, { cause })
  }
}

/** @throws Error when there is no certificate in it, or one that is none */
export function checkCertificates(pem: string): void {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw new Error('there is no certificate in it')
  for (const block of blocks) new X509Certificate(block)
}
