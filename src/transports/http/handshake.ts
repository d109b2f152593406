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
  if (answer.status === 401) {
    throw new AppError(
      'CONFIG_INVALID',
      `${instance.origin} has another INTERNAL_SECRET: set the same in both processes`,
    )
  }
  if (!isHandshake(body)) throw new AppError('UNAVAILABLE', `${instance.origin} is no server of ports`)
  return body
}

/** A port as a process needs it. */
export interface Needed {
  readonly port: CallPort<object>
  /** Methods that are called here; absent: all of the port. */
  readonly methods?: readonly string[] | undefined
  /** The setting that says where it is, for messages. */
  readonly setting: string
}

/** What is needed and not served there, with what to do about it. Undefined when all is well. */
export function lackOf({ ports }: Handshake, { port, methods, setting }: Needed): string | undefined {
  const { name, version } = port
  const offered = ports.filter((served) => served.name === name)
  if (offered.length === 0) return `does not serve ${name} at all: let ${setting} lead to a process that does`
  const served = offered.find((one) => one.version === version)
  if (!served) {
    const versions = offered.map((one) => one.version)
    const remedy = Math.max(...versions) > version ? 'upgrade this process' : 'upgrade the process there'
    return `serves ${name} v${versions.join(', v')} and not v${version}: ${remedy}`
  }
  const missing = (methods ?? Object.keys(port.methods)).filter((method) => !served.methods.includes(method))
  if (missing.length === 0) return undefined
  return `does not serve ${missing.join(', ')} of ${name} v${version}: upgrade the process there`
}

const isHandshake = (body: unknown): body is Handshake =>
  typeof body === 'object' && body !== null && 'ports' in body && Array.isArray(body.ports)
