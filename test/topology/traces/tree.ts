import type { ReceivedSpan } from '../../support/otlp/receiver.ts'

/** What says over what something goes, and where it was: no part of what a trace is like. */
const ofTransport = new Set([
  'http.request.resend_count',
  'messaging.destination.partition.id',
  'messaging.system.name',
  'server.address',
  'server.port',
])
/** Different in every run. */
const ofRun = new Set(['splitstream.saga.id'])

/** The spans of one trace as an indented text, children in an order of their own: two that run at the same time have none. */
export function treeOf(spans: readonly ReceivedSpan[]): string {
  const known = new Set(spans.map(({ spanId }) => spanId))
  const below = (parent: string | undefined): readonly string[] =>
    spans
      .filter(({ parentId }) => (parent === undefined ? !known.has(parentId ?? '') : parentId === parent))
      .map((span) => [lineOf(span), ...below(span.spanId).map((line) => `  ${line}`)].join('\n'))
      .sort()
      .flatMap((text) => text.split('\n'))
  return below(undefined).join('\n')
}

function lineOf({ name, kind, attributes, failed, links }: ReceivedSpan): string {
  // A call of a port is a call of a client only where there is a network between.
  const what = 'rpc.method' in attributes ? 'port' : kind
  const rest = Object.entries(attributes)
    .filter(([key]) => !ofTransport.has(key) && !ofRun.has(key))
    .map(([key, value]) => `${key}=${value}`)
    .sort()
  return [
    name,
    `(${what})`,
    ...(failed ? ['FAILED'] : []),
    ...(links.length > 0 ? [`links=${links.length}`] : []),
    ...rest,
  ].join(' ')
}
