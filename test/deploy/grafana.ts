import { globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, run } from './run.ts'
import { dashboardSchema, promtool, pythonTools } from './tools.ts'

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly datasource?: { readonly uid: string }
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[]
}

interface Dashboard {
  readonly uid: string
  readonly panels: readonly Panel[]
  readonly templating: {
    readonly list: readonly { readonly type: string; readonly current: { readonly value: string } }[]
  }
}

/**
 * Grafana's own schema takes them, panels have ids and places of their own, Prometheus can read every expression, and what is
 * provisioned is what they use.
 */
export async function checkDashboards(): Promise<void> {
  const files = globSync('deploy/grafana/dashboards/*.json', { cwd: root })
  if (files.length === 0) throw new Error('deploy/grafana/dashboards: no dashboard')
  await run(await dashboardSchema(), files)
  await checkProvisioning(files)
  const uids = new Set<string>()
  for (const file of files) {
    const { uid, panels } = JSON.parse(readFileSync(join(root, file), 'utf8')) as Dashboard
    if (uids.has(uid)) throw new Error(`${file}: ${uid} is the uid of another dashboard`)
    uids.add(uid)
    checkPlaces(file, panels)
    await checkExpressions(file, panels)
  }
}

function checkPlaces(file: string, panels: readonly Panel[]): void {
  for (const [i, { id, title, gridPos: a }] of panels.entries()) {
    for (const { id: otherId, title: other, gridPos: b } of panels.slice(i + 1)) {
      const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y
      if (id === otherId || !apart) throw new Error(`${file}: "${title}" and "${other}" have one id or place`)
    }
    if (a.x + a.w > 24) throw new Error(`${file}: "${title}" is wider than the page`)
  }
}

/** As recording rules, since promtool checks those. */
async function checkExpressions(file: string, panels: readonly Panel[]): Promise<void> {
  const expressions = panels.flatMap(({ title, type, targets = [] }) => {
    if (type !== 'row' && targets.length === 0) throw new Error(`${file}: "${title}" shows nothing`)
    return targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'))
  })
  const rules = expressions.map((expr, i) => ({ record: `checked:${i}`, expr }))
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-dashboards-'))
  try {
    const path = join(folder, 'rules.json') // JSON is YAML
    await writeFile(path, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
    const { program, env } = await promtool()
    await run(program, ['check', 'rules', path], { ...(env && { env }) })
  } catch (error) {
    throw new Error(`${file}: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** As far as can be seen without Grafana: the files are YAML, sources have the uids that dashboards name, and folders are mounted. */
async function checkProvisioning(dashboards: readonly string[]): Promise<void> {
  const folder = 'deploy/grafana/provisioning'
  const sources = await readYaml<{ datasources: { uid: string; type: string }[] }>(
    `${folder}/datasources/splitstream.yml`,
  )
  const named = dashboards.flatMap((file) => {
    const { templating } = JSON.parse(readFileSync(join(root, file), 'utf8')) as Dashboard
    return templating.list.filter(({ type }) => type === 'datasource').map(({ current }) => current.value)
  })
  for (const uid of named) {
    if (!sources.datasources.some((one) => one.uid === uid))
      throw new Error(`${folder}: no data source ${uid}, which dashboards name`)
  }
  const { providers } = await readYaml<{ providers: { options: { path: string } }[] }>(
    `${folder}/dashboards/splitstream.yml`,
  )
  const compose = readFileSync(join(root, 'deploy/split/observability.yml'), 'utf8')
  for (const { options } of providers) {
    if (!compose.includes(`- ../grafana/dashboards:${options.path}:ro`))
      throw new Error(`${folder}: nothing is mounted at ${options.path}`)
  }
}

async function readYaml<T>(file: string): Promise<T> {
  const toJson = 'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))'
  const python = join(await pythonTools(), 'python')
  return JSON.parse(await run(python, ['-c', toJson], { input: readFileSync(join(root, file), 'utf8') })) as T
}
