import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { AppError } from '@splitstream/kernel'
import { type Certificate, readCertificate } from './certificate.ts'

/** Paths of PEM files. */
export interface TlsFiles {
  /** The certificate of this process, and behind it those between it and the CA. */
  readonly cert: string
  readonly key: string
  /** Whom this process trusts: one CA or, while one takes the place of another, both. */
  readonly ca: string
}

/** What a process shows, and whom it trusts. */
export interface Credentials {
  readonly files: TlsFiles
  readonly cert: string
  readonly key: string
  readonly ca: string
  readonly certificate: Certificate
}

/** The setting of each file, for messages. */
const settingOf = { cert: 'INTERNAL_TLS_CERT', key: 'INTERNAL_TLS_KEY', ca: 'INTERNAL_TLS_CA' } as const

/** @throws AppError CONFIG_INVALID naming the setting whose file cannot be used */
export async function readCredentials(files: TlsFiles): Promise<Credentials> {
  const [cert, key, ca] = await Promise.all([read(files, 'cert'), read(files, 'key'), read(files, 'ca')])
  const certificate = use(files, 'cert', () => readCertificate(cert))
  use(files, 'ca', () => {
    const blocks = ca.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    if (blocks.length === 0) throw new Error('there is no certificate in it')
    for (const block of blocks) new X509Certificate(block)
  })
  // Also says whether the key is that of the certificate.
  use(files, 'key', () => createSecureContext({ cert, key }))
  return { files, cert, key, ca, certificate }
}

/** Both sides speak nothing older: TLS 1.3 hides certificates, and has no choices that could be made badly. */
export const contextOf = ({ cert, key, ca }: Credentials): SecureContextOptions => ({
  cert,
  key,
  ca,
  minVersion: 'TLSv1.3',
})

async function read(files: TlsFiles, which: keyof TlsFiles): Promise<string> {
  try {
    return await readFile(files[which], 'utf8')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : 'unknown'
    throw new AppError('CONFIG_INVALID', `${settingOf[which]}: ${files[which]} cannot be read (${code})`, { cause })
  }
}

function use<T>(files: TlsFiles, which: keyof TlsFiles, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    // OpenSSL's texts say what is wrong with a file, and nothing of what is in it.
    const why = cause instanceof Error ? cause.message : 'unknown'
    throw new AppError('CONFIG_INVALID', `${settingOf[which]}: ${files[which]} cannot be used: ${why}`, { cause })
  }
}
