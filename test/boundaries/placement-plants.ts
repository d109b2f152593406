/** Ways to ask who runs where, each a file of src/. */
const config = `import type { Config } from './config.ts'\ndeclare const config: Config\n`
const topology = `import type { Topology } from './topology.ts'\ndeclare const topology: Topology\n`

export const planted: readonly string[] = [
  `${config}export const here = config.MODULES.includes('sagas')`,
  `${config}const { MODULES: run } = config\nexport const here = run.some((name) => name === 'query')`,
  `${config}export const apart = config.MODULES.length < 4`,
  `${config}const run = new Set(config.MODULES)\nexport const here = run.has('storage')`,
  `${config}export const names = config.MODULES.map((name) => (name === 'ingest' ? 1 : 2))`,
  `${topology}export const onlyIngests = topology.modules.indexOf('query') < 0`,
  `${topology}const modules: readonly string[] = topology.modules\nexport const here = modules.includes('ingest')`,
  `${topology}export const far = topology.links.get('storage.read')?.kind !== 'local'`,
  `${topology}export const why = () => {\n  switch (topology.events.kind) {\n    case 'kafka': return 1\n    default: return 2\n  }\n}`,
  `${topology}const { kind } = topology.events\nexport const system = kind === 'kafka' ? 'kafka' : 'log'`,
  `${topology}export const system = { local: 'log', kafka: 'kafka' }[topology.events.kind]`,
  `${topology}export const brokers = 'brokers' in topology.events ? 3 : 0`,
]
