/**
 * Checks the files that others deploy with, by their own tools where those can be had: node test/deploy/main.ts.
 * Needs Python 3.11 or newer, Go, and promtool and HAProxy or Debian's apt. Exit code: 0 all are well, 1 one is not.
 */
import { checkClickHouse } from './clickhouse.ts'
import { checkCollector } from './collector.ts'
import { checkCompose } from './compose.ts'
import { checkDockerfile } from './dockerfile.ts'
import { checkGateway } from './gateway.ts'
import { checkDashboards } from './grafana.ts'
import { checkImage } from './image.ts'
import { checkKubernetes } from './kubernetes.ts'
import { checkPrometheus } from './prometheus.ts'

const checks = {
  'Dockerfile (hadolint)': checkDockerfile,
  'image (built as the Dockerfile says, and started)': checkImage,
  'Compose (its own loader)': checkCompose,
  'Kubernetes (kustomize, its JSON schemas)': checkKubernetes,
  'Prometheus (promtool)': checkPrometheus,
  'Grafana dashboards (its schema)': checkDashboards,
  'ClickHouse (its engine)': checkClickHouse,
  'OpenTelemetry Collector (its validate)': checkCollector,
  'gateway (HAProxy)': checkGateway,
}

for (const [name, check] of Object.entries(checks)) {
  const from = performance.now()
  try {
    await check()
    console.log(`ok      ${name}, ${((performance.now() - from) / 1_000).toFixed(1)} s`)
  } catch (error) {
    console.log(`FAILED  ${name}: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  }
}
