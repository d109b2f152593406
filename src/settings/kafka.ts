import { z } from 'zod'
import { saslMechanisms } from '../transports/kafka/sasl.ts'

const mib = 1 << 20

/** The event log on Kafka. */
export const kafkaSettings = {
  KAFKA_TLS: z
    .enum(['off', 'on'])
    .default('off')
    .describe('Whether the brokers of LINK_EVENTS are reached over TLS. Their certificates and names are checked.'),
  KAFKA_TLS_CA: z
    .string()
    .min(1)
    .optional()
    .describe(
      'PEM file: the CA of the brokers’ certificates, or several; those of the system if unset. This file and the next two are read again when they change, for new connections.',
    ),
  KAFKA_TLS_CERT: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file: the certificate of this process, for brokers that want one (ssl.client.auth=required).'),
  KAFKA_TLS_KEY: z.string().min(1).optional().describe('PEM file: the private key of KAFKA_TLS_CERT.'),
  KAFKA_SASL_MECHANISM: z
    .enum(saslMechanisms)
    .optional()
    .describe(
      'How this process makes itself known to the brokers: scram does not show them the password, plain does. Not at all if unset.',
    ),
  KAFKA_SASL_USERNAME: z.string().min(1).optional().describe('Name of this process’s user on Kafka.'),
  KAFKA_SASL_PASSWORD: z.string().min(1).optional().describe('Password of that user.'),
  KAFKA_SASL_IN_CLEAR: z
    .enum(['refuse', 'allow'])
    .default('refuse')
    .describe(
      'Whether KAFKA_SASL_MECHANISM=plain may send the password over connections without TLS to brokers that are not on loopback.',
    ),
  KAFKA_TOPIC: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,200}$/, 'legal are letters, digits, dot, underscore and hyphen')
    .default('splitstream.events')
    .describe(
      'Topic of the event log; consumer groups begin with it. Made at the first start, with LOG_PARTITIONS partitions.',
    ),
  KAFKA_REPLICATION: z.coerce.number().int().min(1).max(15).default(3).describe('Copies of each record on Kafka.'),
  KAFKA_MIN_INSYNC: z.coerce
    .number()
    .int()
    .min(1)
    .max(15)
    .default(2)
    .describe('Copies that must exist before an event counts as durable. With 1, one lost broker can lose events.'),
  KAFKA_COMPRESSION: z
    .enum(['none', 'gzip', 'zstd'])
    .default('zstd')
    .describe('Of records on Kafka: every byte is replicated.'),
  KAFKA_RECORDS: z
    .enum(['batch', 'cloudevents'])
    .default('batch')
    .describe(
      'What this process writes to Kafka: a record for each batch, which is faster, or one for each event, as CloudEvents in JSON, for consumers of yours. Both are read, so it can be changed at any time.',
    ),
  KAFKA_RETAIN_HOURS: z.coerce
    .number()
    .min(1)
    .max(87_600)
    .default(168)
    .describe(
      'For how long Kafka keeps events, hours; taken when the topic is made. One that keeps them for less stops the start.',
    ),
  SPOOL_MAX_BYTES: z.coerce
    .number()
    .int()
    .min(1 * mib)
    .max(2 ** 50)
    .default(1024 * mib)
    .describe('Events that may wait in DATA_DIR while Kafka does not take them, bytes; above it the answer is 503.'),
}
