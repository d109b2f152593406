export const saslMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const

/** How this process makes itself known to brokers. Read for each connection: the password may change while it runs. */
export interface Sasl {
  readonly mechanism: (typeof saslMechanisms)[number]
  readonly username: string
  readonly password: string
}
