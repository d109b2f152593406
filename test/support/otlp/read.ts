import { metricsRequest, traceRequest } from './messages.ts'
import { type Decoded, decode, type Message } from './wire.ts'

/* What the messages mean, checked against what their comments and the semantic conventions demand. */
export type Value = string | number | boolean
export type Attributes = Readonly<Record<string, Value>>

export interface ReceivedSpan {
  readonly resource: Attributes
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | undefined
  readonly name: string
  readonly kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  /** ns since the epoch. */
  readonly start: bigint
  readonly end: bigint
  readonly attributes: Attributes
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly failed: boolean
}

export interface ReceivedPoint {
  readonly resource: Attributes
  readonly name: string
  readonly unit: string
  readonly kind: 'gauge' | 'sum' | 'histogram'
  readonly attributes: Attributes
  /** Of a histogram its count. */
  readonly value: number
}

const kinds = ['internal', 'server', 'client', 'producer', 'consumer'] as const

/** @throws Error saying what is wrong with it */
export const readSpans = (body: Uint8Array): ReceivedSpan[] => itemsOf(traceRequest, body, spanOf)

/** @throws Error saying what is wrong with it */
export const readPoints = (body: Uint8Array): ReceivedPoint[] => itemsOf(metricsRequest, body, pointsOf).flat()

function itemsOf<T>(message: Message, body: Uint8Array, read: (item: Decoded, resource: Attributes) => T): T[] {
  const all = listOf(decode(message, body), 'resources').flatMap((one) => {
    const resource = attributesOf((one.resource ?? {}) as Decoded)
    need(resource['service.name'], 'a resource without service.name')
    return listOf(one, 'scopes').flatMap((scoped) => {
      need((scoped.scope as Decoded | undefined)?.name, 'a scope without a name')
      return listOf(scoped, 'items').map((item) => read(item, resource))
    })
  })
  if (all.length === 0) throw new Error('nothing in it')
  return all
}

function spanOf(span: Decoded, resource: Attributes): ReceivedSpan {
  const name = span.name as string
  need(name, 'a span without a name')
  const [start, end] = [span.start as bigint, span.end as bigint]
  need(start !== undefined && end !== undefined && start <= end, `${name}: ends before it starts`)
  const now = BigInt(Date.now()) * 1_000_000n
  need(end <= now + 10_000_000_000n && start > now - 3_600_000_000_000n, `${name}: not of this hour`)
  const kind = kinds[(span.kind as number) - 1]
  if (!kind) throw new Error(`${name}: no kind ${span.kind}`)
  for (const lost of ['droppedAttributes', 'droppedEvents', 'droppedLinks']) need(!span[lost], `${name}: ${lost}`)
  const status = (span.status ?? {}) as Decoded
  need(status.message === undefined, `${name}: says more than that it failed`)
  need([undefined, 0, 2].includes(status.code as number | undefined), `${name}: status ${status.code}`)
  need(listOf(span, 'events').length === 0, `${name}: has events`)
  return {
    resource,
    traceId: idOf(span.traceId, 16, name),
    spanId: idOf(span.spanId, 8, name),
    parentId: span.parentSpanId === undefined ? undefined : idOf(span.parentSpanId, 8, name),
    name,
    kind,
    start,
    end,
    attributes: attributesOf(span),
    links: listOf(span, 'links').map((link) => ({
      traceId: idOf(link.traceId, 16, name),
      spanId: idOf(link.spanId, 8, name),
    })),
    failed: status.code === 2,
  }
}

function pointsOf(metric: Decoded, resource: Attributes): ReceivedPoint[] {
  const name = metric.name as string
  need(/^[a-z][a-z0-9_.]{0,254}$/.test(name ?? ''), `${name}: no name of a metric`)
  need(metric.description, `${name}: not described`)
  const kind = (['gauge', 'sum', 'histogram'] as const).find((one) => metric[one] !== undefined)
  if (!kind) throw new Error(`${name}: no data`)
  const data = metric[kind] as Decoded
  if (kind !== 'gauge') need(data.temporality === 2, `${name}: not cumulative`)
  if (kind === 'sum') need(data.monotonic === true, `${name}: a sum that is not monotonic`)
  const points = listOf(data, 'points')
  need(points.length > 0, `${name}: no points`)
  const seen = new Set<string>()
  return points.map((point) => {
    const attributes = attributesOf(point)
    const key = JSON.stringify(Object.entries(attributes).sort())
    need(!seen.has(key), `${name}: two points with ${key}`)
    seen.add(key)
    need((point.start as bigint) <= (point.time as bigint), `${name}: ends before it starts`)
    const value = kind === 'histogram' ? countOf(name, point) : Number(point.double ?? point.int)
    need(Number.isFinite(value), `${name}: no number`)
    return { resource, name, unit: (metric.unit ?? '') as string, kind, attributes, value }
  })
}

function countOf(name: string, point: Decoded): number {
  const counts = (point.counts ?? []) as bigint[]
  const bounds = (point.bounds ?? []) as number[]
  need(counts.length === bounds.length + 1, `${name}: ${counts.length} buckets for ${bounds.length} bounds`)
  need(
    bounds.every((bound, i) => i === 0 || bound > bounds[i - 1]!),
    `${name}: bounds are not in order`,
  )
  const count = point.count as bigint
  need(counts.reduce((sum, n) => sum + n, 0n) === count, `${name}: buckets and count differ`)
  return Number(count)
}

const listOf = (message: Decoded, name: string): Decoded[] => (message[name] ?? []) as Decoded[]

function attributesOf(message: Decoded): Attributes {
  const all: Record<string, Value> = {}
  for (const { key, value } of listOf(message, 'attributes') as { key?: string; value?: Decoded }[]) {
    if (!key || !/^[a-z][a-z0-9_.]*$/.test(key) || key in all) throw new Error(`attribute ${key}`)
    const { string, bool, int, double } = value ?? {}
    const found = string ?? bool ?? double ?? (int === undefined ? undefined : Number(int))
    need(found !== undefined && found !== '', `attribute ${key} without a value`)
    all[key] = found as Value
  }
  return all
}

function idOf(bytes: unknown, length: number, name: string): string {
  const id = Buffer.from((bytes ?? []) as Uint8Array)
  need(id.length === length && id.some((byte) => byte !== 0), `${name}: an id of ${id.length} bytes`)
  return id.toString('hex')
}

function need(holds: unknown, what: string): void {
  if (!holds) throw new Error(what)
}
