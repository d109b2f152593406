import { globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, run } from './run.ts'
import { promtool } from './tools.ts'

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
}

/** Panels have ids and places of their own, and Prometheus can read every expression. */
export async function checkDashboards(): Promise<void> {
  const files = globSync('deploy/grafana/dashboards/*.json', { cwd: root })
  if (files.length === 0) throw new Error('deploy/grafana/dashboards: no dashboard')
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
