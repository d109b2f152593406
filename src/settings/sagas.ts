import { z } from 'zod'

const mib = 1 << 20

/** Undefined for any. */
function parsePorts(text: string, context: z.RefinementCtx): readonly number[] | undefined {
  if (text === 'any') return undefined
  const ports = text.split(',').map((entry) => Number(entry.trim()))
  if (ports.every((port) => Number.isInteger(port) && port >= 1 && port <= 65_535)) return ports
  context.addIssue({ code: 'custom', message: 'legal is any, or ports between commas, 1 to 65535' })
  return z.NEVER
}

/** What runs sagas, and how long they are kept. */
export const sagaSettings = {
  SAGA_ALLOW_PRIVATE: z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== ''),
    )
    .describe(
      'Participants of sagas that may be reached though their address is private or their URL is http: hosts, *.suffixes, addresses or CIDR blocks, each with :port if only that; between commas.',
    ),
  SAGA_PORTS: z
    .string()
    .default('443,8443')
    .transform(parsePorts)
    .describe(
      'Ports that sagas may call, of participants that SAGA_ALLOW_PRIVATE does not name: between commas, or any.',
    ),
  SAGA_MAX_ANSWER_BYTES: z.coerce
    .number()
    .int()
    .min(1024)
    .max(64 * mib)
    .default(1 * mib)
    .describe('Largest answer of a participant of a saga, bytes.'),
  SAGA_CAPACITY: z.coerce
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(2_000)
    .describe('Sagas that this process runs at once; more wait in Postgres, or for another process.'),
  SAGA_RETAIN_DAYS: z.coerce
    .number()
    .min(1)
    .max(3_650)
    .default(90)
    .describe(
      'For how long sagas that have ended are kept, days; by whole weeks, and with them their Idempotency-Keys.',
    ),
  SAGA_EVENT_RETAIN_DAYS: z.coerce
    .number()
    .min(1)
    .max(36_500)
    .default(3_650)
    .describe(
      'For how long the events are known that started sagas, days: one that is sent again within this time starts none. At least as long as the saga is kept; about 100 bytes each.',
    ),
}
