import { X509Certificate } from 'node:crypto'

/** What of a certificate matters here. */
export interface Certificate {
  /** Its subject alternative names of the kinds DNS and URI. The subject's common name is no name. */
  readonly names: readonly string[]
  /** Validity, ms since the Unix epoch. */
  readonly from: number
  readonly until: number
}

/** Of the first certificate of a PEM text, which is the owner's own. @throws Error when it is none */
export const readCertificate = (pem: string | Buffer): Certificate => certificateOf(new X509Certificate(pem))

export function certificateOf({ subjectAltName, validFromDate, validToDate }: X509Certificate): Certificate {
  return { names: namesIn(subjectAltName ?? ''), from: validFromDate.getTime(), until: validToDate.getTime() }
}

/**
 * OpenSSL's form: `DNS:storage, URI:spiffe://acme/storage, IP Address:10.0.0.1`. Node quotes a name with a comma or the like in
 * it; such a one is left out, whatever it pretends to hold.
 */
function namesIn(text: string): string[] {
  const entries = text.matchAll(/(?:^|, )([A-Za-z][A-Za-z ]*):("(?:[^"\\]|\\.)*"|[^",]*)(?=, |$)/g)
  return [...entries].flatMap(([, kind, name = '']) => {
    if (name.startsWith('"')) return []
    return kind === 'DNS' ? [name.toLowerCase()] : kind === 'URI' ? [name] : []
  })
}
