import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run } from './run.ts'
import { checkBackups, checkSettings, type Given } from './settings.ts'
import { composeConfig } from './tools.ts'

interface Service {
  readonly image?: string
  readonly environment?: Readonly<Record<string, string | null>>
  readonly command?: readonly string[] | null
  readonly volumes?: readonly { readonly type: string; readonly source?: string; readonly target: string }[]
  readonly ports?: readonly { readonly host_ip?: string; readonly published?: string }[]
  readonly deploy?: {
    readonly replicas?: number
    readonly resources?: { readonly limits?: { readonly memory?: string } }
  }
}

interface Project {
  readonly services: Readonly<Record<string, Service>>
}

const split = 'deploy/split/docker-compose.yml'
/** Servers of others that may have a port on the machine: what is asked there changes nothing, or needs a key. */
const withPorts = new Set(['gateway', 'grafana', 'prometheus', 'jaeger'])

export async function checkCompose(): Promise<void> {
  const names = [...readFileSync(join(root, 'deploy/split/example.env'), 'utf8').matchAll(/^([A-Z_]+)=$/gm)]
  const filled = Object.fromEntries(names.map(([, name]) => [name!, 'x'.repeat(48)]))
  const empty = Object.fromEntries(Object.keys(filled).map((name) => [name, '']))

  await checkProject('docker-compose.yml', await load('docker-compose.yml', [], { ADMIN_KEY: '' }))
  const { COMPOSE_PROFILES: profile, ...replicas } = replicated()
  checkReplicas(await checkProject(split, await load(split, [profile!], { ...filled, ...replicas })), 3)
  const one = `${split} with one ClickHouse`
  checkReplicas(await checkProject(one, await load(split, [], filled)), 1)
  for (const name of Object.keys(filled)) {
    const refused = await load(split, [], { ...filled, [name]: '' }).then(
      () => '',
      (error: Error) => error.message,
    )
    if (!refused.includes(name)) throw new Error(`${split}: it loads without ${name}, which example.env names`)
  }
  await load(split, [], empty).then(
    () => Promise.reject(new Error(`${split}: it loads with nothing set`)),
    () => undefined,
  )
}

/** What example.env sets for three replicas. */
function replicated(): Record<string, string> {
  const example = readFileSync(join(root, 'deploy/split/example.env'), 'utf8')
  const found = [...example.matchAll(/^(COMPOSE_PROFILES|CLICKHOUSE_HOSTS|CLICKHOUSE_CLUSTER)=(.+)$/gm)]
  if (found.length !== 3) throw new Error('deploy/split/example.env does not set up three replicas')
  return Object.fromEntries(found.map(([, name, value]) => [name!, value!]))
}

/** There are so many ClickHouse servers, each is known to storage, and replicas have three Keepers. */
function checkReplicas({ services }: Project, servers: number): void {
  const named = (prefix: string) => Object.keys(services).filter((name) => name.startsWith(prefix))
  const hosts = services['storage-1']?.environment?.CLICKHOUSE_URL?.match(/clickhouse-\d/g) ?? []
  const found = { servers: named('clickhouse-').length, hosts: hosts.length, keepers: named('keeper-').length }
  const expected = { servers, hosts: servers, keepers: servers === 1 ? 0 : 3 }
  if (JSON.stringify(found) !== JSON.stringify(expected))
    throw new Error(`${split}: ${JSON.stringify(found)} of ClickHouse, and ${JSON.stringify(expected)} was expected`)
}

async function load(file: string, profiles: readonly string[], env: Record<string, string>): Promise<Project> {
  return JSON.parse(await run(await composeConfig(), [join(root, file), ...profiles], { env })) as Project
}

/** What we promise of every service, and that the product takes the settings that it is given. */
async function checkProject(file: string, project: Project): Promise<Project> {
  const { services } = project
  const modules = new Map<string, number>()
  for (const [name, service] of Object.entries(services)) {
    const who = `${file}, ${name}`
    const own = service.image === 'splitstream'
    if (!own && !/:\d[\w.-]*$|:v\d[\w.-]*$/.test(service.image ?? '')) throw new Error(`${who}: pin its image`)
    for (const { host_ip, published } of service.ports ?? []) {
      if (!own && !withPorts.has(name))
        throw new Error(`${who}: port ${published} is open; who reaches it is not asked who it is`)
      if (host_ip !== '127.0.0.1') throw new Error(`${who}: port ${published} is open to others; bind it to 127.0.0.1`)
    }
    if (service.deploy?.resources?.limits?.memory === undefined) throw new Error(`${who}: give it a limit of memory`)
    if (!own || service.command) continue
    const given = givenTo(service)
    await checkSettings(who, given)
    if (given.env.MODULES === undefined) checkBackups(who, given)
    else modules.set(given.env.MODULES, (modules.get(given.env.MODULES) ?? 0) + (service.deploy?.replicas ?? 1))
  }
  for (const [module, times] of modules) {
    if (times < 2) throw new Error(`${file}: one process of ${module}, so that a restart of it is an outage`)
  }
  return project
}

function givenTo({ environment = {}, volumes = [] }: Service): Given {
  const env = Object.entries(environment).filter(([, value]) => value !== null)
  const mounts = volumes.map(({ type, source = '', target }) => {
    const text = (file: string) => {
      const path = join(source, file)
      return type === 'bind' && existsSync(path) ? readFileSync(path, 'utf8') : undefined
    }
    return [target, text] as const
  })
  return { env: Object.fromEntries(env) as Record<string, string>, mounts: Object.fromEntries(mounts) }
}
