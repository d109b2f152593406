import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run } from './run.ts'
import { promtool } from './tools.ts'

const folder = join(root, 'deploy/prometheus')

/** The configuration and the rules by Prometheus' own tool; each alert with a case that makes it fire and a runbook. */
export async function checkPrometheus(): Promise<void> {
  const { program, env } = await promtool()
  await run(program, ['check', 'config', join(folder, 'prometheus.yml')], { ...(env && { env }) })
  await run(program, ['test', 'rules', join(folder, 'alerts.test.yml')], { ...(env && { env }) })
  const cases = readFileSync(join(folder, 'alerts.test.yml'), 'utf8')
  const runbooks = readFileSync(join(root, 'docs/runbooks.md'), 'utf8')
  const sections = [...runbooks.matchAll(/^## (Splitstream\w+)$/gm)].map(([, name]) => name!)
  const alerts = alertsIn(readFileSync(join(folder, 'alerts.yml'), 'utf8'))
  for (const { name, runbook } of alerts) {
    if (!cases.includes(`{alertname="${name}", alertstate="firing"}`))
      throw new Error(`${name}: alerts.test.yml has no case`)
    if (!sections.includes(name)) throw new Error(`${name}: docs/runbooks.md has no section`)
    const place = `{{ $externalLabels.docs }}/runbooks.md#${name.toLowerCase()}`
    if (runbook !== place) throw new Error(`${name}: its runbook_url has to be ${place}`)
  }
  const left = sections.filter((section) => !alerts.some(({ name }) => name === section))
  if (left.length > 0) throw new Error(`docs/runbooks.md: there is no alert ${left.join(', ')}`)
}

function alertsIn(text: string): { name: string; runbook: string | undefined }[] {
  return text
    .split(/^ +- alert: /m)
    .slice(1)
    .map((part) => ({ name: part.split('\n', 1)[0]!.trim(), runbook: /runbook_url: "(.+)"$/m.exec(part)?.[1] }))
}
