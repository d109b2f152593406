import { AppError } from '@splitstream/kernel'

/** One of the hosts of a link. */
export interface Host {
  /** As it was written; a case that matters to Consul is kept. An IPv6 address stands without its brackets. */
  readonly name: string
  /** Undefined when the link names none. */
  readonly port: number | undefined
}

/** The hosts of http://host:port[,host:port...]. @throws AppError CONFIG_INVALID when the url is not of that form */
export function hostsOf(url: string): readonly Host[] {
  const list = /^http:\/\/([^/?#@\s]+)\/?$/.exec(url)?.[1]
  const hosts = list?.split(',').map(hostOf) ?? []
  if (hosts.length === 0 || hosts.includes(undefined)) {
    throw new AppError('CONFIG_INVALID', `${url} is not of the form http://host:port`)
  }
  return hosts as Host[]
}

function hostOf(text: string): Host | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const name = bracketed ?? plain
  const port = digits === undefined ? undefined : Number(digits)
  if (name === undefined || !URL.canParse(`http://${text}`) || (port !== undefined && (port < 1 || port > 65_535)))
    return undefined
  return { name, port }
}

/** http://host:port; `address` is a name or an IP address. */
export function originAt(address: string, port: number): string {
  const host = address.includes(':') ? `[${address}]` : address
  // An origin leaves out the port of its scheme, so that one address has one form whatever it came from.
  return new URL(`http://${host}:${port}`).origin
}
