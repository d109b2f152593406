import { join } from 'node:path'
import { answers, run } from './run.ts'
import { checkBackups, checkSettings, type Given } from './settings.ts'
import { pythonTools } from './tools.ts'

/** Of Kubernetes: the oldest that is promised and the newest that the validator knows. */
const versions = ['1.30', '1.37']

/** What stands in the Secret that the user makes. */
const secrets: Readonly<Record<string, string>> = {
  ADMIN_KEY: 'x'.repeat(48),
  INTERNAL_SECRET: 'x'.repeat(48),
  POSTGRES_URL: 'postgres://splitstream:x@postgres:5432/splitstream',
  CLICKHOUSE_URL: 'http://splitstream:x@clickhouse:8123/splitstream',
  REDIS_URLS: 'redis://redis-0:6379,redis://redis-1:6379,redis://redis-2:6379',
}

interface Container {
  readonly name: string
  readonly image: string
  readonly env?: readonly {
    name: string
    value?: string
    valueFrom?: { secretKeyRef: { name: string; key: string; optional?: boolean } }
  }[]
  readonly envFrom?: readonly { configMapRef: { name: string } }[]
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly subPath?: string }[]
}

interface Pod {
  readonly containers: readonly Container[]
  readonly volumes?: readonly {
    readonly name: string
    readonly configMap?: { readonly name: string }
    readonly persistentVolumeClaim?: { readonly claimName: string }
  }[]
}

interface Resource {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: {
    readonly template?: { readonly spec: Pod }
    readonly jobTemplate?: { readonly spec: { readonly template: { readonly spec: Pod } } }
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[]
  }
}

export async function checkKubernetes(): Promise<void> {
  const bin = await pythonTools()
  for (const topology of ['single', 'split']) {
    const folder = `deploy/kubernetes/${topology}`
    const text = await kustomize(folder)
    for (const version of versions) {
      await run(join(bin, 'python'), ['-m', 'kubernetes_validate', '--strict', '--quiet', '-k', version, '-'], {
        input: text,
      })
    }
    const toJson = 'import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))'
    const resources = JSON.parse(await run(join(bin, 'python'), ['-c', toJson], { input: text })) as Resource[]
    const containers = resources.flatMap(({ kind, metadata, spec }) =>
      (spec?.template?.spec.containers ?? []).map((container) => ({
        who: `${folder}, ${kind} ${metadata.name}`,
        container,
        pod: spec!.template!.spec,
      })),
    )
    const own = containers.filter(({ container }) => container.image.includes('/splitstream:'))
    if (own.length === 0) throw new Error(`${folder}: no container of Splitstream`)
    for (const { who, container, pod } of own) {
      const given = { env: environmentOf(who, container, resources), mounts: mountsOf(container, pod, resources) }
      await checkSettings(who, given)
      if (given.env.MODULES === undefined) checkBackups(who, given)
    }
    checkClaims(folder, resources)
  }
}

/** What a job mounts is a volume that a StatefulSet makes: its name is that of the template, the set and the pod. */
function checkClaims(folder: string, all: readonly Resource[]): void {
  const made = all.flatMap(({ metadata, spec }) =>
    (spec?.volumeClaimTemplates ?? []).map((template) => `${template.metadata.name}-${metadata.name}-0`),
  )
  for (const { metadata, spec } of all) {
    for (const { persistentVolumeClaim: claim } of spec?.jobTemplate?.spec.template.spec.volumes ?? []) {
      if (claim && !made.includes(claim.claimName))
        throw new Error(`${folder}, ${metadata.name}: there is no volume ${claim.claimName}, but ${made.join(', ')}`)
    }
  }
}

/** Of a ConfigMap the files, which are kept up to date unless one is mounted by itself (subPath). */
function mountsOf({ volumeMounts = [] }: Container, { volumes = [] }: Pod, all: readonly Resource[]): Given['mounts'] {
  const mounts = volumeMounts.map(({ name, mountPath, subPath }) => {
    const map = volumes.find((volume) => volume.name === name)?.configMap?.name
    const found = all.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === map)
    return [mountPath, (file: string) => (subPath === undefined ? found?.data?.[file] : undefined)] as const
  })
  return Object.fromEntries(mounts)
}

async function kustomize(folder: string): Promise<string> {
  if (await answers('kubectl', 'kustomize', '--help')) return await run('kubectl', ['kustomize', folder])
  return await run('go', ['run', 'sigs.k8s.io/kustomize/kustomize/v5@v5.8.3', 'build', folder])
}

function environmentOf(who: string, { env = [], envFrom = [] }: Container, all: readonly Resource[]) {
  const environment: Record<string, string> = {}
  for (const { configMapRef } of envFrom) {
    const map = all.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef.name)
    if (!map) throw new Error(`${who}: there is no ConfigMap ${configMapRef.name}`)
    Object.assign(environment, map.data)
  }
  for (const { name, value, valueFrom } of env) {
    const { key, optional = false } = valueFrom?.secretKeyRef ?? {}
    if (key !== undefined && !(key in secrets)) {
      if (optional) continue
      throw new Error(`${who}: the Secret has no ${key}`)
    }
    environment[name] = key === undefined ? (value ?? '') : secrets[key]!
  }
  return environment
}
