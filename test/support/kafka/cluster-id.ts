import { randomBytes } from 'node:crypto'

/** 16 bytes in base64url. Never with a dash in front, as one in 64 would be: Kafka's tools take that for an option. */
export const newClusterId = (): string => `A${randomBytes(16).toString('base64url').slice(1)}`
