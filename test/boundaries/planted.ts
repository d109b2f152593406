/**
 * The boundary rules, tested: each planted violation must be caught by dependency-cruiser, or by the linter, in a scratch
 * copy of the tree. A rule that nothing can break proves nothing.
 */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = new URL('../../', import.meta.url).pathname

/** file → its planted content → the rule that must name it. */
const planted: [string, string, string][] = [
  ['modules/query/domain/p1.ts', "import '../../storage/domain/block.ts'", 'modules-meet-in-contracts'],
  ['modules/query/domain/p2.ts', "import '../../storage/contract/index.ts'", 'no-relative-path-into-another-module'],
  ['modules/query/domain/p3.ts', "import '../../../src/config.ts'", 'modules-know-only-the-kernel'],
  ['modules/ingest/app/p4.ts', "export type { Config } from '../../../src/config.ts'", 'modules-know-only-the-kernel'],
  ['modules/ingest/domain/p5.ts', "import '../adapters/http-routes.ts'", 'domain-is-pure'],
  ['modules/ingest/domain/p6.ts', "import 'commander'", 'domain-is-pure'],
  ['modules/storage/app/p7.ts', "import 'pg'", 'postgres-in-its-place'],
  ['modules/storage/app/p8.ts', "import '@clickhouse/client'", 'clickhouse-in-its-place'],
  ['modules/storage/app/p9.ts', "import 'tsyringe'", 'container-in-its-place'],
  ['modules/query/adapters/p10.ts', "import 'express'", 'express-in-its-place'],
  ['src/edge/p11.ts', "import '../../modules/query/domain/where.ts'", 'src-sees-modules-from-outside'],
  ['src/edge/p12.ts', "import '../../modules/query/module.ts'", 'module-ts-only-from-the-registry'],
  ['src/kernel/p13.ts', "import '../config.ts'", 'kernel-stands-alone'],
  ['src/edge/p14.ts', "import 'pino'", 'telemetry-in-its-place'],
  ['modules/storage/app/p44.ts', "import '@opentelemetry/api'", 'telemetry-in-its-place'],
  ['src/telemetry/p45.ts', "import './otlp/otlp.ts'", 'otlp-only-when-configured'],
  ['src/telemetry/p46.ts', "import '@opentelemetry/sdk-trace'", 'otlp-only-when-configured'],
  ['src/edge/p15.ts', "import 'chdb'", 'clickhouse-in-its-place'],
  ['src/edge/p16.ts', "import '../topology.ts'", 'placement-in-two-files'],
  ['src/edge/p17.ts', "import './nowhere.ts'", 'not-to-unresolvable'],
  ['src/edge/p18.ts', "import { sqlite } from 'node:sqlite'; export { sqlite }", 'sqlite-in-its-place'],
  ['src/edge/p19.ts', "void import('../../modules/storage/domain/block.ts')", 'src-sees-modules-from-outside'],
  ['modules/query/domain/p20.ts', "import '@splitstream/storage/domain/block.ts'", 'not-to-unresolvable'],
  ['src/edge/p23.ts', "import '../../test/boundaries/planted.ts'", 'no-test-code-in-the-product'],
  ['src/transports/inproc/p24.ts', "import 'express'", 'express-in-its-place'],
  ['src/transports/p25.ts', "import 'express'", 'express-in-its-place'],
  ['src/discovery/p26.ts', "import 'express'", 'express-in-its-place'],
  ['src/kernel/p27.ts', "import 'express'", 'kernel-stands-alone'],
  ['src/kernel/p28.ts', "import '../transports/wire.ts'", 'kernel-stands-alone'],
  ['src/transports/http/p29.ts', "import '../../bind.ts'", 'placement-in-two-files'],
  ['src/discovery/p30.ts', "import '../topology.ts'", 'placement-in-two-files'],
  [
    'src/transports/http/p31.ts',
    "import '../../../modules/storage/app/storage-writer.ts'",
    'src-sees-modules-from-outside',
  ],
  ['modules/query/app/p32.ts', "import '../../../src/transports/http/client.ts'", 'modules-know-only-the-kernel'],
  ['modules/storage/adapters/p33.ts', "import '../../../src/discovery/static.ts'", 'modules-know-only-the-kernel'],
  ['modules/storage/app/p34.ts', "import 'kafkajs'", 'kafkajs-in-its-place'],
  ['src/event-log-p35.ts', "export type { Kafka } from 'kafkajs'", 'kafkajs-in-its-place'],
  ['src/transports/log/p36.ts', "void import('kafkajs')", 'kafkajs-in-its-place'],
  ['src/transports/kafka/p37.ts', "import '../../topology.ts'", 'placement-in-two-files'],
  ['src/remote-p38.ts', "import './registry.ts'", 'placement-in-two-files'],
  ['modules/ingest/app/p39.ts', "import '../../../src/transports/kafka/log.ts'", 'modules-know-only-the-kernel'],
  ['src/kernel/p40.ts', "export type { Kafka } from 'kafkajs'", 'kernel-stands-alone'],
  ['modules/sagas/domain/p41.ts', "import '@marcbachmann/cel-js'", 'expressions-in-their-place'],
  ['modules/sagas/app/p42.ts', "import '../kit/builder/index.ts'", 'kit-is-for-users'],
  ['src/edge/p43.ts', "import '../../modules/sagas/kit/builder/index.ts'", 'kit-is-for-users'],
  ['modules/sagas/kit/participant/k1.ts', "import 'zod'", 'participant-kit-stands-alone'],
  ['modules/sagas/kit/participant/k2.ts', "import 'express'", 'express-in-its-place'],
  ['modules/sagas/kit/conformance/k3.ts', "import 'node:sqlite'", 'sqlite-in-its-place'],
]
/** The other half of the planted circle. */
const helper = ['modules/query/domain/p22.ts', "import { b } from './p21.ts'; export const a = b"] as const
const linted: [string, string, string][] = [
  ['modules/query/domain/l1.ts', 'export const mode = process.env.MODULES', 'noProcessEnv'],
  ['src/edge/l2.ts', 'export const x = (y: any) => y', 'noExplicitAny'],
]

const copy = await mkdtemp(join(tmpdir(), 'splitstream-planted-'))
try {
  for (const name of [
    'src',
    'modules',
    'test',
    'package.json',
    'tsconfig.json',
    '.dependency-cruiser.cjs',
    'biome.json',
  ]) {
    await cp(join(root, name), join(copy, name), { recursive: true })
  }
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  for (const [file, text] of [...planted, ...linted, helper]) await writeFile(join(copy, file), `${text}\nexport {}\n`)
  const bin = (name: string) => join(root, 'node_modules/.bin', name)
  const output = async (command: string, args: string[]) =>
    run(command, args, { cwd: copy, maxBuffer: 64 << 20 }).catch((error: { stdout: string; stderr: string }) => error)
  const cruised = await output(bin('depcruise'), ['src', 'modules', '--output-type', 'json'])
  const violations = (
    JSON.parse(cruised.stdout) as { summary: { violations: { from: string; rule: { name: string } }[] } }
  ).summary.violations
  const lints = await output(bin('biome'), ['lint', '--vcs-enabled=false', ...linted.map(([file]) => file)])
  const missed = planted.filter(([file, , rule]) => !violations.some((v) => v.from === file && v.rule.name === rule))
  missed.push(...linted.filter(([, , rule]) => !`${lints.stdout}${lints.stderr}`.includes(rule)))
  for (const [file, text, rule] of missed) console.error(`not caught by ${rule}: ${file}: ${text}`)
  const total = planted.length + linted.length
  console.log(`${total - missed.length} of ${total} planted boundary violations caught`)
  process.exitCode = missed.length > 0 ? 1 : 0
} finally {
  await rm(copy, { recursive: true, force: true })
}
