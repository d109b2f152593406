import { z } from 'zod'

/** How processes of a split know each other. */
export const internalSettings = {
  INTERNAL_SECRET: z
    .string()
    .min(32, 'needs at least 32 characters')
    .optional()
    .describe(
      'What processes of a split show each other; the same in all of them. Without it and INTERNAL_TLS_CERT none may call this one.',
    ),
  INTERNAL_TLS_CERT: z
    .string()
    .min(1)
    .optional()
    .describe(
      'PEM file: the certificate of this process and those between it and its CA. With it, the key and the CA, processes of a split call each other over mutual TLS. The files are read again when they change.',
    ),
  INTERNAL_TLS_KEY: z.string().min(1).optional().describe('PEM file: the private key of INTERNAL_TLS_CERT.'),
  INTERNAL_TLS_CA: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file: the CA of the certificates of all processes; while one CA takes the place of another, both.'),
  INTERNAL_TLS_NAMES: z
    .string()
    .default('')
    .transform((text) => text.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()])))
    .describe(
      'Who may call this process over mutual TLS: names (DNS or URI) of their certificates, between commas. If empty, whoever has a certificate of the CA.',
    ),
  INTERNAL_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(8443)
    .describe('Port for calls over mutual TLS; 0 picks a free one. Not listened on without INTERNAL_TLS_CERT.'),
}
