import { type Config, ConfigError } from './config.ts'
import type { PortLink } from './links.ts'
import type { TlsFiles } from './transports/http/tls/credentials.ts'

export type RemoteLink = Exclude<PortLink, { kind: 'local' }>

/** The files of mutual TLS between processes; undefined without. @throws ConfigError when only some are set */
export function tlsFilesOf(config: Config): TlsFiles | undefined {
  const { INTERNAL_TLS_CERT: cert, INTERNAL_TLS_KEY: key, INTERNAL_TLS_CA: ca, INTERNAL_TLS_NAMES: names } = config
  if (cert !== undefined && key !== undefined && ca !== undefined) return { cert, key, ca }
  const all = { INTERNAL_TLS_CERT: cert, INTERNAL_TLS_KEY: key, INTERNAL_TLS_CA: ca }
  const missing = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [name] : []))
  if (missing.length === 3 && names.length === 0) return undefined
  throw new ConfigError(`Certificates between processes need three files: set ${missing.join(' and ')}, too`)
}

/** Whether calls over the link go over TLS. Consul tells a port alone, which is that of TLS where processes have certificates. */
export const isSecure = (link: RemoteLink, tls: boolean): boolean =>
  link.kind === 'consul' ? tls : link.url.startsWith('https:')

/**
 * Nobody is called who does not ask who is there.
 * @param links by their settings
 * @throws ConfigError naming the settings that are missing
 */
export function checkAccess(config: Config, links: Iterable<readonly [setting: string, link: RemoteLink]>): void {
  const tls = tlsFilesOf(config) !== undefined
  for (const [setting, link] of links) {
    const secure = isSecure(link, tls)
    if (secure && !tls) {
      throw new ConfigError(
        `${setting}=${link.text} is called with a certificate: set INTERNAL_TLS_CERT, INTERNAL_TLS_KEY and INTERNAL_TLS_CA`,
      )
    }
    if (secure || config.INTERNAL_SECRET !== undefined) continue
    throw new ConfigError(
      `${setting}=${link.text}: calls of other processes need a secret or certificates: ` +
        (tls
          ? 'write https:// in place of http:// there, or set INTERNAL_SECRET to the same value in all processes'
          : 'set INTERNAL_SECRET to the same value in all of them, or INTERNAL_TLS_CERT, INTERNAL_TLS_KEY and INTERNAL_TLS_CA'),
    )
  }
}
