/** How a port of another process is found. `local`: it is in this one. */
export type PortLink =
  | { readonly kind: 'local' }
  | { readonly kind: 'static' | 'dns' | 'consul'; readonly url: string; readonly text: string }

/** Where the event log is. */
export type EventsLink = { readonly kind: 'local' } | { readonly kind: 'kafka'; readonly brokers: readonly string[] }

export const portLinkForms =
  'local, http://host:port, dns+http://name:port, the same with https in place of http, or consul://service'
export const eventsLinkForms = 'local or kafka://host:port,host:port'

const kinds: Readonly<Record<string, 'static' | 'dns' | 'consul'>> = {
  http: 'static',
  https: 'static',
  'dns+http': 'dns',
  'dns+https': 'dns',
  consul: 'consul',
}

/** Several addresses of one kind stand between commas. Undefined when the text is no link. */
export function parsePortLink(text: string): PortLink | undefined {
  if (text === 'local') return { kind: 'local' }
  const [, scheme = '', hosts = ''] = /^([a-z+]+):\/\/([^/?#@]+)\/?$/.exec(text) ?? []
  const kind = kinds[scheme]
  if (!kind || !hosts.split(',').every((host) => URL.canParse(`http://${host}`))) return undefined
  return { kind, url: `${scheme.endsWith('https') ? 'https' : 'http'}://${hosts}`, text }
}

export function parseEventsLink(text: string): EventsLink | undefined {
  if (text === 'local') return { kind: 'local' }
  const match = /^kafka:\/\/([^/?#@]+)\/?$/.exec(text)
  const brokers = match?.[1]?.split(',') ?? []
  if (brokers.length === 0 || !brokers.every((broker) => /^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$/.test(broker)))
    return undefined
  return { kind: 'kafka', brokers }
}
