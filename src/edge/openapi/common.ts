import type { Json } from './schemas.ts'

/** Headers that many operations have, by name. */
export const responseHeaders: Json = {
  'Request-Id': { description: 'Finds the request in the log', required: true, schema: { type: 'string' } },
  'Retry-After': {
    description: 'Seconds after which the request can succeed',
    required: true,
    schema: { type: 'integer', minimum: 0 },
  },
  RateLimit: {
    description: 'What is left of each quota, where one applies (IETF draft of that name)',
    schema: { type: 'string' },
  },
  'RateLimit-Policy': { description: 'The quotas that apply', schema: { type: 'string' } },
}

export const requestHeaders: Json = {
  traceparent: {
    name: 'traceparent',
    in: 'header',
    description: 'W3C trace context: the trace that the request belongs to',
    schema: { type: 'string' },
  },
  'Content-Encoding': {
    name: 'Content-Encoding',
    in: 'header',
    description: 'How the body is compressed',
    schema: { type: 'string', enum: ['gzip', 'deflate', 'br', 'zstd'] },
  },
}

/** What the tags of operations mean. */
export const tags: Readonly<Record<string, string>> = {
  Events: 'Append events, list them, follow them, ask questions about them',
  Sagas: 'Business transactions over services: start them, look at them, operate them',
  'Saga definitions': 'What sagas do, in versions',
  'Refused events': 'What sagas emitted and ingest refused',
  'Dead letters': 'Events that were acknowledged and cannot be stored',
  'API keys': 'Keys, their scopes and quotas',
  Health: 'For orchestrators and monitoring; of the process that answers',
  Installation: 'Topology, event logs and backups, for the operator; and this document',
}

export const securitySchemes: Json = {
  key: {
    type: 'http',
    scheme: 'bearer',
    description:
      'An API key. It belongs to one tenant and has scopes: `ingest`, `query`, `sagas`, `admin`. Each operation names the scope ' +
      'that it needs.',
  },
}

export const description = `Events come in over HTTP, are stored exactly once in ClickHouse, are queried over REST, and drive sagas.

Errors are RFC 9457 problem documents; \`code\` is stable. Beside those that an operation names, any request can be answered
with \`HOST_MISDIRECTED\`, \`METHOD_NOT_ALLOWED\`, \`EXPECTATION_FAILED\`, \`URI_TOO_LONG\` and \`HEADERS_TOO_LARGE\`. Unknown and repeated
query parameters are refused. Answers may get new members within a major version: ignore what you do not know. Limits that are
settings are named; docs/config.md has their defaults.

This document is about a whole installation: every process of a split serves it, and serves itself the operations of its own
modules.`
