import { createRequire } from 'node:module'

/** Told of how each connection made itself known. kafkajs hands the object through to its connections as it is. */
export interface SaslObserver {
  authenticated(): void
  refused(broker: string, error: unknown): void
}

interface Authenticator {
  readonly connection: { readonly broker: string; readonly sasl: Partial<SaslObserver> }
  authenticate(): Promise<void>
}

/*
 * kafkajs 2.2.4 tells of a refused password in the error of whatever needed the connection, often only after its own tries and
 * wrapped, or not at all. Here the one place where it is known says so. The class is not exported, so it is reached by its file:
 * kafkajs is pinned to this version.
 */
const { prototype } = createRequire(import.meta.url)('kafkajs/src/broker/saslAuthenticator/index.js') as {
  prototype: Authenticator
}
const authenticate = prototype.authenticate

prototype.authenticate = async function (this: Authenticator): Promise<void> {
  const { broker, sasl } = this.connection
  try {
    await authenticate.call(this)
  } catch (error) {
    sasl.refused?.(broker, error)
    throw error
  }
  sasl.authenticated?.()
}
