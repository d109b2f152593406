import { AppError } from '@splitstream/kernel'

/** One of the hosts of a link. */
export interface Host {
  /** As it was written; a case that matters to Consul is kept. An IPv6 address stands without its brackets. */
  readonly name: string
  /** Undefined when the link names none. */
  readonly port: number | undefined
  readonly scheme: Scheme
}

export type Scheme = 'http' | 'https'

/** The hosts of http(s)://host:port[,host:port...]. @throws AppError CONFIG_INVALID when the url is not of that form */
export function hostsOf(url: string): readonly Host[] {
  const [, scheme, list] = /^(https?):\/\/([^/?#@\s]+)\/?$/.exec(url) ?? []
  const hosts = list?.split(',').map((text) => hostOf(text, scheme as Scheme)) ?? []
  if (hosts.length === 0 || hosts.includes(undefined)) {
    throw new AppError('CONFIG_INVALID', `${url} is not of the form http://host:port or https://host:port`)
  }
  return hosts as Host[]
}

function hostOf(text: string, scheme: Scheme): Host | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const name = bracketed ?? plain
  const port = digits === undefined ? undefined : Number(digits)
  if (name === undefined || !URL.canParse(`http://${text}`) || (port !== undefined && (port < 1 || port > 65_535)))
    return undefined
  return { name, port, scheme }
}

/** Such as http://host:port; `address` is a name or an IP address, and a port that is not given that of the scheme. */
export function originAt(address: string, port: number | undefined, scheme: Scheme = 'http'): string {
  const host = address.includes(':') ? `[${address}]` : address
  // An origin leaves out the port of its scheme, so that one address has one form whatever it came from.
  return new URL(`${scheme}://${host}${port === undefined ? '' : `:${port}`}`).origin
}
