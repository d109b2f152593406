import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { checkCertificates, readPem, usable } from '../../pem-file.ts'
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

/** @throws AppError CONFIG_INVALID naming the setting whose file cannot be used */
export async function readCredentials(files: TlsFiles): Promise<Credentials> {
  const certFile = { setting: 'INTERNAL_TLS_CERT', path: files.cert }
  const keyFile = { setting: 'INTERNAL_TLS_KEY', path: files.key }
  const caFile = { setting: 'INTERNAL_TLS_CA', path: files.ca }
  const [cert, key, ca] = await Promise.all([certFile, keyFile, caFile].map(readPem))
  const certificate = usable(certFile, () => readCertificate(cert!))
  usable(caFile, () => checkCertificates(ca!))
  // Also says whether the key is that of the certificate.
  usable(keyFile, () => createSecureContext({ cert, key }))
  return { files, cert: cert!, key: key!, ca: ca!, certificate }
}

/** Both sides speak nothing older: TLS 1.3 hides certificates, and has no choices that could be made badly. */
export const contextOf = ({ cert, key, ca }: Credentials): SecureContextOptions => ({
  cert,
  key,
  ca,
  minVersion: 'TLSv1.3',
})
