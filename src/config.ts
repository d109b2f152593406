import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { z } from 'zod'
import { clickhouseUrlForm, parseClickHouseUrls } from './engines/clickhouse/urls.ts'
import { parseRedisUrls, redisUrlForm } from './engines/redis/urls.ts'
import { eventsLinkForms, parseEventsLink, parsePortLink, portLinkForms } from './links.ts'
import { moduleNames } from './registry.ts'
import { internalSettings } from './settings/internal.ts'
import { kafkaSettings } from './settings/kafka.ts'
import { sagaSettings } from './settings/sagas.ts'

/** Every setting, with those in settings/: its default and what it means. docs/config.md is generated from this schema. */
const bytes = (min: number, max: number) => z.coerce.number().int().min(min).max(max)
const mib = 1 << 20

/** For a setting that is parsed; `parse` gives undefined for what it does not take. */
const parsing =
  <T>(parse: (text: string) => T | undefined, forms: string) =>
  (text: string, context: z.RefinementCtx): T => {
    const value = parse(text)
    if (value === undefined) context.addIssue({ code: 'custom', message: `legal is ${forms}` })
    return value as T
  }
const link = <T>(parse: (text: string) => T | undefined, forms: string) =>
  z.string().default('local').transform(parsing(parse, forms))
/** Units a second; unset: any number. */
const quota = (what: string) =>
  z.coerce
    .number()
    .int()
    .min(1)
    .max(1e12)
    .optional()
    .describe(`${what}; above it the answer is 429. No limit if unset.`)
const isDistinct = (list: readonly unknown[]): boolean => new Set(list).size === list.length
const portLink = () => link(parsePortLink, portLinkForms)

/** `name=value` between commas, values percent-encoded, as OpenTelemetry writes lists. */
const pairs = () =>
  z.string().default('').transform(parsing(parsePairs, 'name=value, between commas, the values percent-encoded'))

export const settings = z.object({
  CONFIG_FILE: z
    .string()
    .min(1)
    .optional()
    .describe(
      'A file of settings, NAME=value a line, in place of .env in the working directory; the environment wins. It has to be there, and is read again when it changes.',
    ),
  HOST: z.string().min(1).default('127.0.0.1').describe('Address to listen on. Only loopback until told otherwise.'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(8080).describe('Port of the HTTP API; 0 picks a free one.'),
  SHARE_PORT: z
    .stringbool({ truthy: ['true'], falsy: ['false'], case: 'sensitive' })
    .prefault('false')
    .describe(
      'true: another process with true may listen on the same port, and takes over what this one no more accepts. On Linux set net.ipv4.tcp_migrate_req=1, too. Not on macOS and Windows.',
    ),
  DRAIN_SECONDS: z.coerce
    .number()
    .min(0)
    .max(3_600)
    .default(0)
    .describe(
      'For how long a process that is asked to stop serves on, while it is not ready and ends each connection with its next answer: the time for balancers and clients to go elsewhere.',
    ),
  DATA_DIR: z
    .string()
    .min(1)
    .default('./data')
    // The engine joins a relative path to itself.
    .transform((path) => resolve(path))
    .describe('Where the embedded engines and the local log keep their files.'),
  BACKUP_DIR: z
    .string()
    .min(1)
    .transform((path) => resolve(path))
    .optional()
    .describe('Where backups are written to, a folder for each; best on another disk. Not inside of DATA_DIR.'),
  BACKUP_BYTES_PER_SECOND: bytes(1 * mib, 2 ** 40)
    .default(64 * mib)
    .describe('How fast a backup copies at most, so that it leaves the disk to others, bytes.'),
  ADMIN_KEY: z
    .string()
    .min(32, 'needs at least 32 characters')
    .optional()
    .describe(
      'The operator’s key. Every start sets it, so it is changed here, in all processes, and not over the API. If unset, one is made at the first start and printed once.',
    ),
  MODULES: z
    .string()
    .default('all')
    .transform((text) => (text === 'all' ? [...moduleNames] : text.split(',').map((name) => name.trim())))
    .pipe(z.array(z.enum(moduleNames)).min(1))
    .refine(isDistinct, 'each module can be named once')
    .describe(`Modules of this process: all, or a list of ${moduleNames.join(', ')}.`),
  LINK_EVENTS: link(parseEventsLink, eventsLinkForms).describe(
    `Where the event log is: ${eventsLinkForms}. local is the log in DATA_DIR.`,
  ),
  LINK_STORAGE_READ: portLink().describe(
    `How storage.read is reached: ${portLinkForms}. local is in this process; several hosts stand between commas.`,
  ),
  LINK_INGEST_APPEND: portLink().describe('How ingest.append is reached; forms as for LINK_STORAGE_READ.'),
  ...internalSettings,
  CONSUL_URL: z
    .url()
    .optional()
    .describe('Agent of Consul: asked by links consul://service; the modules of this process register there.'),
  CONSUL_TOKEN: z.string().min(1).optional().describe('ACL token for Consul.'),
  ADVERTISE_HOST: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Where others reach this process, as registered with Consul. HOST if unset, or the name of this machine.',
    ),
  ...kafkaSettings,
  CLICKHOUSE_URL: z
    .string()
    .transform(parsing(parseClickHouseUrls, clickhouseUrlForm))
    .optional()
    .describe(
      'An external ClickHouse, http(s)://user:password@host:8123/database; for a cluster all its replicas, between commas after one user:password. Embedded if unset.',
    ),
  CLICKHOUSE_CLUSTER: z
    .string()
    .regex(/^[\w.-]{1,100}$/, 'legal are letters, digits, dot, underscore and hyphen')
    .optional()
    .describe(
      'Name of the cluster, as in system.clusters, whose replicas CLICKHOUSE_URL names. If unset, it is one server.',
    ),
  POSTGRES_URL: z
    .url()
    .optional()
    .describe('An external Postgres, postgres://user:password@host:5432/database. Embedded if unset.'),
  REDIS_URLS: z
    .string()
    .transform(parsing(parseRedisUrls, `1, 3 or 5 of ${redisUrlForm}, between commas, each on another host or port`))
    .optional()
    .describe(
      'Independent Redis nodes, redis(s)://user:password@host:port: 1, 3 or 5 between commas. They spare Postgres attempts at held locks, and count quotas for all processes. None if unset.',
    ),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('A collector for traces and metrics (OTLP over HTTP), http://host:4318. If unset, there are no traces.'),
  OTEL_SDK_DISABLED: z
    .stringbool({ truthy: ['true'], falsy: ['false'] })
    .prefault('false')
    .describe('true: nothing is sent to the collector, as if there were none.'),
  OTEL_EXPORTER_OTLP_HEADERS: pairs().describe('Sent to the collector with each request: name=value, between commas.'),
  OTEL_SERVICE_NAME: z.string().min(1).default('splitstream').describe('Name of this process in traces and metrics.'),
  OTEL_RESOURCE_ATTRIBUTES: pairs().describe('More that is said about this process: name=value, between commas.'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe('Part of the requests that are traced, when their client does not say.'),
  OTEL_METRIC_EXPORT_INTERVAL: z.coerce
    .number()
    .int()
    .min(1_000)
    .max(3_600_000)
    .default(60_000)
    .describe('Between two deliveries of metrics to the collector, ms.'),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Least severe log line that is written.'),
  LOG_PARTITIONS: z.coerce
    .number()
    .int()
    .min(1)
    .max(64)
    .default(2)
    .describe('Partitions of the event log; fixed when it is made. The topic on Kafka has to have as many.'),
  LOG_RETAIN_BYTES: bytes(16 * mib, 2 ** 50)
    .default(2048 * mib)
    .describe(
      'Stored events that the local log keeps, bytes. Events that are not stored yet, or not seen by sagas, are never dropped.',
    ),
  LOG_RETAIN_HOURS: z.coerce
    .number()
    .min(0.1)
    .max(87_600)
    .default(24)
    .describe('For how long the local log keeps stored events, hours.'),
  MIN_FREE_BYTES: bytes(0, 2 ** 50)
    .default(256 * mib)
    .describe('Free disk space below which ingest answers 507, bytes.'),
  MAX_BODY_BYTES: bytes(1024, 512 * mib)
    .default(32 * mib)
    .describe('Largest request body after decompression, bytes.'),
  MAX_IN_FLIGHT_BYTES: bytes(1024, 2 ** 40)
    .default(128 * mib)
    .describe('Request bytes in memory at once; above it the answer is 503.'),
  OVERLOAD_DELAY_MS: z.coerce
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(50)
    .describe(
      'How long a request may wait for the event loop while the process cannot keep up, ms; later ones are answered 503. 0: none is refused for that.',
    ),
  QUOTA_KEY_REQUESTS: quota('Requests a second of each API key that has no quota of its own'),
  QUOTA_KEY_BYTES: quota('Bytes of request bodies a second, as sent, of each API key that has no quota of its own'),
  QUOTA_TENANT_REQUESTS: quota('Requests a second of each tenant, over all of its keys'),
  QUOTA_TENANT_BYTES: quota('Bytes of request bodies a second, as sent, of each tenant, over all of its keys'),
  QUOTA_ON_REDIS_FAILURE: z
    .enum(['local', 'open', 'closed'])
    .default('local')
    .describe(
      'With REDIS_URLS all processes count quotas together. While the Redis node of a tenant is away: local, each process counts alone; open, nothing is limited; closed, limited requests are answered 503.',
    ),
  MAX_EVENT_BYTES: bytes(256, 64 * mib)
    .default(1 * mib)
    .describe('Largest single event, bytes.'),
  MAX_BATCH_EVENTS: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .default(50_000)
    .describe('Most events in one request.'),
  STORAGE_LINGER_MS: z.coerce
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(250)
    .describe('How long an event waits for company before it is inserted, ms.'),
  STORAGE_BLOCK_EVENTS: z.coerce
    .number()
    .int()
    .min(100)
    .max(500_000)
    .default(65_536)
    .describe('Most events in one insert.'),
  SEEN_KEYS: z.coerce
    .number()
    .int()
    .min(10_000)
    .max(100_000_000)
    .default(2_000_000)
    .describe(
      'Event keys in one generation of the seen-index (at most 24 bytes of memory each, and 64 more when events come without a time or ahead of it).',
    ),
  ...sagaSettings,
  CLICKHOUSE_MAX_MEMORY_BYTES: bytes(256 * mib, 2 ** 40)
    .default(2048 * mib)
    .describe('Memory limit of the embedded ClickHouse, bytes.'),
  QUERY_MAX_ROWS: bytes(1000, 2 ** 50)
    .default(1_000_000_000)
    .describe('Most rows that one query may read; above it the answer is QUERY_TOO_COSTLY.'),
  QUERY_STALE_BYTES: bytes(0, 2 ** 40)
    .default(32 * mib)
    .describe(
      'Memory for answers to queries that are given again, marked as stale, while ClickHouse or storage is away, bytes; 0: none.',
    ),
  QUERY_STALE_SECONDS: z.coerce
    .number()
    .min(1)
    .max(604_800)
    .default(3_600)
    .describe('Age of an answer above which it is not given any more, seconds.'),
  QUERY_MAX_SECONDS: z.coerce.number().int().min(1).max(3600).default(30).describe('Time limit of a query, seconds.'),
  QUERY_MAX_STREAMS: z.coerce
    .number()
    .int()
    .min(1)
    .max(500)
    .default(100)
    .describe('Live streams (GET /v1/events/stream) that may be open in this process; above it the answer is 503.'),
})

export type Config = z.infer<typeof settings>

export class ConfigError extends Error {}

/**
 * Reads the settings from the environment, and from the file that CONFIG_FILE names or `.env`; the environment wins.
 * @throws ConfigError naming each bad variable, what was found and what is legal.
 */
export function loadConfig(env: NodeJS.ProcessEnv = process.env, envFile = '.env'): Config {
  const { config, problems } = inspectConfig(env, envFile)
  if (problems.length > 0) throw new ConfigError(`The configuration is not valid:\n  ${problems.join('\n  ')}`)
  return config
}

/** The same for whoever goes on in any case: what is legal, the defaults of the rest, and what is wrong with that. */
export function inspectConfig(
  env: NodeJS.ProcessEnv = process.env,
  envFile = '.env',
): { readonly config: Config; readonly problems: readonly string[] } {
  const problems: string[] = []
  const file = env.CONFIG_FILE ? readNamedFile(env.CONFIG_FILE, problems) : readEnvFile(envFile)
  if ('CONFIG_FILE' in file)
    problems.push('CONFIG_FILE: a file of settings cannot name another: set it in the environment')
  const unknown = Object.keys(file).filter((name) => !(name in settings.shape))
  unknown.push(...Object.keys(env).filter((name) => name.startsWith('LINK_') && !(name in settings.shape)))
  problems.push(...unknown.map((name) => `${name}: there is no such setting${nearest(name)}`))

  const given: Record<string, string> = {}
  for (const name of Object.keys(settings.shape)) {
    // Not `??`: what is empty is unset, and leaves the file its say.
    const value = env[name] || file[name]
    if (value) given[name] = value
  }
  const parsed = settings.safeParse(given)
  if (parsed.success) return { config: parsed.data, problems }
  const legal = { ...given }
  for (const issue of parsed.error.issues) {
    const name = String(issue.path[0])
    delete legal[name]
    const found =
      name === 'ADMIN_KEY' || /_(SECRET|PASSWORD|TOKEN|URLS?|HEADERS|ENDPOINT)$/.test(name)
        ? 'a value that is not shown'
        : JSON.stringify(given[name])
    problems.push(
      `${name}: found ${found}; ${issue.message}. ${settings.shape[name as keyof Config].description ?? ''}`,
    )
  }
  return { config: settings.parse(legal), problems }
}

function parsePairs(text: string): Record<string, string> | undefined {
  const entries = text.split(',').flatMap((pair) => (pair.trim() === '' ? [] : [pair.trim().split(/\s*=\s*(.*)/s)]))
  if (entries.some(([name, value]) => !name || value === undefined)) return undefined
  try {
    return Object.fromEntries(entries.map(([name, value]) => [name!, decodeURIComponent(value!)]))
  } catch {
    return undefined
  }
}

function readEnvFile(path: string): Record<string, string> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return {}
    throw error
  }
  return parseEnv(text) as Record<string, string>
}

/** One that is named and cannot be read is a problem, and no empty one. */
function readNamedFile(path: string, problems: string[]): Record<string, string> {
  try {
    return parseEnv(readFileSync(path, 'utf8')) as Record<string, string>
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? error.code : error
    problems.push(
      `CONFIG_FILE: found "${path}", which cannot be read (${why}). ${settings.shape.CONFIG_FILE.description}`,
    )
    return {}
  }
}

/** ` (did you mean X?)` for a name within two edits. */
function nearest(name: string): string {
  const close = Object.keys(settings.shape).find((known) => distance(name, known) <= 2)
  return close ? ` (did you mean ${close}?)` : ''
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
