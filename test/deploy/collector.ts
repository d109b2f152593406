import { join } from 'node:path'
import { root, run } from './run.ts'
import { collectorConfig } from './tools.ts'

/** The collector's own `validate`, with the components that the file names. */
export async function checkCollector(): Promise<void> {
  const file = join(root, 'deploy/otel-collector/config.yaml')
  await run(await collectorConfig(), ['validate', `--config=${file}`])
}
