import { ingestAppendPort } from '@splitstream/ingest/contract'
import { AppError, type CallPort, messageOf, silentLogger, systemClock } from '@splitstream/kernel'
import { storageReadPort } from '@splitstream/storage/contract'
import type { Config } from '../../config.ts'
import { discover } from '../../discovery/discover.ts'
import type { Instance } from '../../discovery/resolver.ts'
import { isSecure, type RemoteLink, tlsFilesOf } from '../../internal-access.ts'
import { linkSetting, remoteLinksOf, type Topology } from '../../topology.ts'
import { askPorts, lackOf, type Needed } from '../../transports/http/handshake.ts'
import { ConnectionPool } from '../../transports/http/pool.ts'
import { readCredentials } from '../../transports/http/tls/credentials.ts'
import { type Check, type Finding, fail, ok, warn } from './check.ts'
import { ms } from './units.ts'

const ports = { 'ingest.append': ingestAppendPort, 'storage.read': storageReadPort } as const

/** Other processes that this one calls: are they there, do they let us in, do they serve what is needed? */
export function linkChecks(config: Config, topology: Topology): Check[] {
  return [...remoteLinksOf(topology)].map(([name, link]) => {
    const port = ports[name] as CallPort<object>
    const needed = { port, methods: topology.calls.get(name), setting: linkSetting[name] }
    return { name: `link ${name}`, run: () => checkLink(config, link, needed) }
  })
}

async function checkLink(config: Config, link: RemoteLink, needed: Needed): Promise<Finding> {
  const files = tlsFilesOf(config)
  const current = files && (await readCredentials(files))
  const pool = new ConnectionPool({}, current && { current, onChange: () => undefined })
  const url = isSecure(link, files !== undefined) ? link.url.replace(/^http:/, 'https:') : link.url
  try {
    const instances = await instancesOf(config, { kind: link.kind, url })
    if (instances.length === 0)
      return fail(
        'no instance is found',
        `${needed.setting}=${link.text} leads to nothing: is it right, and does it run?`,
      )
    const caller = { pool, secret: config.INTERNAL_SECRET }
    const said = await Promise.all(
      instances.map(async (instance): Promise<string | number> => {
        const from = performance.now()
        try {
          const lack = lackOf(await askPorts(instance, caller), needed)
          return lack === undefined ? performance.now() - from : `${instance.origin} ${lack}`
        } catch (error) {
          if (!(error instanceof AppError)) throw error
          return messageOf(error)
        }
      }),
    )
    const bad = said.filter((one) => typeof one === 'string')
    const good = said.filter((one) => typeof one === 'number')
    if (good.length === 0) return fail(bad.join('; '), `see to it, or to ${needed.setting}`)
    const found = `${good.length} of ${said.length} instances, round trip ${ms(Math.max(...good))}`
    return bad.length > 0 ? warn(found, bad.join('; ')) : ok(found)
  } finally {
    pool.close()
  }
}

async function instancesOf(
  config: Config,
  link: { readonly kind: RemoteLink['kind']; readonly url: string },
): Promise<readonly Instance[]> {
  const { CONSUL_URL: url, CONSUL_TOKEN: token } = config
  const consul = { ...(url !== undefined && { url }), ...(token !== undefined && { token }) }
  const discovery = discover(link, { clock: systemClock, logger: silentLogger, consul })
  await discovery.start()
  const found = [...new Map(discovery.current().map((instance) => [instance.origin, instance])).values()]
  await discovery.stop()
  return found
}
