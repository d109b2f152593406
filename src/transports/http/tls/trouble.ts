/** OpenSSL's and Node's codes for a certificate of the other side that is not accepted here. */
const untrusted: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** Whether the certificate of the other side is not accepted here; its names apart, which are a trouble of their own. */
export const isUntrusted = (error: unknown): boolean => untrusted.has(codeOf(error))

/**
 * Whether the other side refused the handshake with an alert about our certificate. In TLS 1.3 the word comes after our side is
 * done with it, when a request may be under way: it was never looked at.
 */
export const isRefusedHandshake = (error: unknown): boolean =>
  /^ERR_SSL_(TLSV1.?|SSLV3|SSL\/TLS)_ALERT_/.test(codeOf(error))

/** What is wrong between two processes, if it is about TLS: for operators, as the rest of a sentence about an instance. */
export function tlsTrouble(error: unknown): string | undefined {
  const code = codeOf(error)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'shows a certificate for other names than that of the link: issue it for that name too'
  }
  if (untrusted.has(code)) return `shows a certificate that INTERNAL_TLS_CA of this process does not cover (${code})`
  if (isRefusedHandshake(error)) return `does not take the certificate of this process (${code})`
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) return `does not speak TLS 1.3 there (${code})`
  if (code === 'ECONNRESET') {
    return 'ended the connection at its beginning: it does not take the certificate of this process, and its log says why'
  }
  return undefined
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : ''
}
