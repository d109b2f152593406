import { isRefusedHandshake, isUntrusted } from '../http/tls/trouble.ts'
import type { KafkaTls } from './tls-files.ts'

/**
 * What is wrong between this process and a broker, if it is about TLS: for operators, as the rest of a sentence about the broker.
 * @param begun the handshake was through on our side
 */
export function tlsTrouble(error: unknown, { ca, cert }: KafkaTls, begun: boolean): string | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `shows a certificate for other names (${code}): LINK_EVENTS and advertised.listeners have to call the broker as its certificate does`
  }
  if (isUntrusted(error)) {
    return ca === undefined
      ? `shows a certificate of a CA that this system does not know (${code}): set KAFKA_TLS_CA to it`
      : `shows a certificate that KAFKA_TLS_CA does not cover (${code})`
  }
  if (isRefusedHandshake(error)) {
    return cert === undefined
      ? `wants a certificate of this process (${code}): set KAFKA_TLS_CERT and KAFKA_TLS_KEY`
      : `does not take the certificate in KAFKA_TLS_CERT (${code})`
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) return noTls(code)
  return code === 'ECONNRESET' && !begun ? noTls(code) : undefined
}

const noTls = (code: string): string =>
  `does not speak TLS there (${code}): name a listener with TLS in LINK_EVENTS, or set KAFKA_TLS=off`

/** A TLS record in place of an answer: an alert. */
export const speaksTls = (bytes: Uint8Array): boolean => bytes[0] === 0x15 && bytes[1] === 3

/** What is wrong with how this process made itself known, as `tlsTrouble`; undefined when it is about something else. */
export function saslTrouble(error: unknown, mechanism: string, username: string): string | undefined {
  if (!(error instanceof Error)) return undefined
  if ('type' in error && error.type === 'ILLEGAL_SASL_STATE') {
    return 'does not ask who is there: name a listener with SASL in LINK_EVENTS, or unset KAFKA_SASL_MECHANISM'
  }
  const unsupported = 'type' in error && error.type === 'UNSUPPORTED_SASL_MECHANISM'
  if (unsupported || error.message.includes('is not supported by the server')) {
    return `does not offer KAFKA_SASL_MECHANISM=${mechanism}`
  }
  if (error.name !== 'KafkaJSSASLAuthenticationError' || connectionLost.test(error.message)) return undefined
  return `does not let in ${JSON.stringify(username)}: check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD (${error.message})`
}

/** What kafkajs's connections say for themselves, and not for a broker: one that stops meanwhile, or we do, refuses nobody. */
const connectionLost = /: (Closed connection|Connection (error|timeout)|Request .+ timed out)/
