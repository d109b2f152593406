import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { json } from 'node:stream/consumers'
import { AppError, type CallPort } from '@splitstream/kernel'
import type { Instance } from '../../discovery/resolver.ts'
import { timeOf } from '../../http-date.ts'
import { authorizationHeader, type Caller } from './caller.ts'
import { portsPath } from './paths.ts'
import type { Handshake } from './port-table.ts'
import { tlsTrouble } from './tls/trouble.ts'

export interface Answer extends Handshake {
  /** What its clock says, ms since the epoch, to the second; undefined when it does not say. */
  readonly now: number | undefined
}

/**
 * Asks an instance what it serves, before anything depends on it.
 * @throws AppError UNAVAILABLE (no answer in time, or not one of ours), CONFIG_INVALID (another secret, or no trust)
 */
export async function askPorts(instance: Instance, caller: Caller, timeoutMs = 2_000): Promise<Answer> {
  let status: number | undefined
  let date: string | undefined
  let body: unknown
  try {
    const signal = AbortSignal.timeout(timeoutMs)
    const request = caller.pool.request(instance, false, {
      method: 'GET',
      path: portsPath,
      headers: authorizationHeader(caller),
      signal,
    })
    request.end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    status = response.statusCode
    date = response.headers.date
    body = await json(response)
  } catch (cause) {
    const trouble = instance.origin.startsWith('https:') ? tlsTrouble(cause) : undefined
    if (trouble !== undefined) throw new AppError('CONFIG_INVALID', `${instance.origin} ${trouble}`, { cause })
    throw new AppError('UNAVAILABLE', `${instance.origin} does not say what it serves`, { cause })
  }
  if (status === 401) {
    const why = 'it has another INTERNAL_SECRET, or its INTERNAL_TLS_NAMES do not list this one'
    throw new AppError('CONFIG_INVALID', `${instance.origin} refuses this process: ${why}`)
  }
  if (!isHandshake(body)) throw new AppError('UNAVAILABLE', `${instance.origin} is no server of ports`)
  return { ...body, now: timeOf(date) }
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
