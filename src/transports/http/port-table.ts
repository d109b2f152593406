import { AppError, type CallPort, type MethodDescription, type PortMethod } from '@splitstream/kernel'

/** A port and who implements it here. */
export interface ServedPort {
  readonly port: CallPort<object>
  /** Asked at each call, because modules may be bound after the server was made. */
  readonly implementation: () => object
}

/** Pairs a port with its implementation; the types are checked here and forgotten after. */
export function servePort<P extends object>(port: CallPort<P>, implementation: () => P): ServedPort {
  return { port: port as CallPort<object>, implementation }
}

export interface ServedMethod {
  readonly port: string
  readonly version: number
  readonly name: string
  readonly description: MethodDescription
  readonly run: PortMethod
}

/** What `GET /internal/ports` answers: enough for a caller to see before its first call whether it is understood. */
export interface Handshake {
  readonly ports: readonly { readonly name: string; readonly version: number; readonly methods: readonly string[] }[]
}

type Methods = Readonly<Record<string, MethodDescription>>

export class PortTable {
  readonly handshake: Handshake
  readonly #methods = new Map<string, ServedMethod>()
  readonly #versions: Map<string, number[]>

  constructor(served: readonly ServedPort[]) {
    this.#versions = new Map(
      [...Map.groupBy(served, ({ port }) => port.name)].map(([name, all]) => [name, all.map((s) => s.port.version)]),
    )
    for (const { port, implementation } of served) {
      for (const [name, description] of Object.entries(port.methods as Methods)) {
        const run: PortMethod = (input, call) => (implementation() as Record<string, PortMethod>)[name]!(input, call)
        this.#methods.set(`${port.name}/v${port.version}/${name}`, {
          port: port.name,
          version: port.version,
          name,
          description,
          run,
        })
      }
    }
    this.handshake = {
      ports: served.map(({ port }) => ({ name: port.name, version: port.version, methods: Object.keys(port.methods) })),
    }
  }

  /** `version` as in the path: v1. @throws AppError PORT_UNKNOWN saying what of it is not served */
  find(port: string, version: string, method: string): ServedMethod {
    const found = this.#methods.get(`${port}/${version}/${method}`)
    if (found) return found
    const versions = this.#versions.get(port)
    if (!versions) throw new AppError('PORT_UNKNOWN', 'This process does not serve the port', { details: { port } })
    if (!versions.some((served) => version === `v${served}`)) {
      const message = `The port ${port} is served here in another version`
      throw new AppError('PORT_UNKNOWN', message, { details: { port, versions } })
    }
    throw new AppError('PORT_UNKNOWN', `The port ${port} has no such method here`, { details: { port, method } })
  }
}
