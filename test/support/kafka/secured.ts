import type { Secured } from './cluster.ts'
import { clusterSettings } from './settings.ts'

export interface SecuredPorts {
  readonly sasl: number
  readonly mutual: number
}

/** The settings of a broker with `listeners` that gets two more. */
export function withSecured(
  listeners: { readonly all: string; readonly advertised: string },
  ports: SecuredPorts,
  { cert, key, ca, username, password }: Secured,
): Record<string, string> {
  const more = `SASL://127.0.0.1:${ports.sasl},MUTUAL://127.0.0.1:${ports.mutual}`
  const login = 'org.apache.kafka.common.security'
  return {
    listeners: `${listeners.all},${more}`,
    'advertised.listeners': `${listeners.advertised},${more}`,
    'listener.security.protocol.map': `${clusterSettings['listener.security.protocol.map']},SASL:SASL_SSL,MUTUAL:SSL`,
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.certificate.chain': cert,
    'ssl.keystore.key': key,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.certificates': ca,
    'listener.name.mutual.ssl.client.auth': 'required',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.sasl.plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required user_${username}="${password}";`,
    'listener.name.sasl.scram-sha-256.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
    'listener.name.sasl.scram-sha-512.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
  }
}

/** For the tool that formats a node: the users that it knows from the beginning. */
export const scramArguments = ({ username, password }: Secured): string[] =>
  ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((one) => ['--add-scram', `${one}=[name=${username},password=${password}]`])
