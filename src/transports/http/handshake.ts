import { AppError, type CallPort } from '@splitstream/kernel'
import type { Instance } from '../../discovery/resolver.ts'
import { portsPath } from './paths.ts'
import type { Handshake } from './port-table.ts'
import { authorizationOf } from './secret.ts'

/**
 * Asks an instance what it serves, before anything depends on it.
 * @throws AppError UNAVAILABLE (no answer in time, or not one of ours), CONFIG_INVALID (another secret)
 */
export async function askPorts(instance: Instance, secret: string, timeoutMs = 2_000): Promise<Handshake> {
  let answer: Response
  let body: unknown
  try {
    const headers = { authorization: authorizationOf(secret) }
    answer = await fetch(instance.origin + portsPath, { headers, signal: AbortSignal.timeout(timeoutMs) })
    body = await answer.json()
  } catch (cause) {
    throw new AppError('UNAVAILABLE', `${instance.origin} does not say what it serves`, { cause })
  }
  if (answer.status === 401) throw new AppError('CONFIG_INVALID', `${instance.origin} has another secret`)
  if (!isHandshake(body)) throw new AppError('UNAVAILABLE', `${instance.origin} is no server of ports`)
  return body
}

/** The methods of the port, or the port itself, that are not served there: empty when all is well. */
export function missingIn({ ports }: Handshake, port: CallPort<object>): string[] {
  const served = ports.find(({ name, version }) => name === port.name && version === port.version)
  if (!served) return [`${port.name} v${port.version}`]
  const names = Object.keys(port.methods).filter((name) => !served.methods.includes(name))
  return names.map((name) => `${port.name} v${port.version} ${name}`)
}

const isHandshake = (body: unknown): body is Handshake =>
  typeof body === 'object' && body !== null && 'ports' in body && Array.isArray(body.ports)
