import { type Clock, type Health, type Logger, messageOf, type Part } from '@splitstream/kernel'
import { Rounds } from '../rounds.ts'
import { type ConsulAccess, ConsulAgent, type ConsulAnswer, type ConsulRequest, refusal } from './agent.ts'

export interface ServiceRegistration {
  /** Of the service: what stands after consul:// in the links of others. */
  readonly name: string
  /** Of this instance: different for each, the same after a restart. */
  readonly id: string
  /** Where others reach it. */
  readonly address: string
  readonly port: number
  /** Where Consul asks for /health/ready, if that is another port. */
  readonly healthPort?: number
}

export interface RegistrationOptions {
  readonly access: ConsulAccess
  readonly clock: Clock
  readonly logger: Logger
  /** Between two looks, and between two questions of Consul, ms; default 5,000. Consul takes 1,000 at least. */
  readonly everyMs?: number
}

const timeoutMs = 2_000

/** One that is gone without a word is critical at once and forgotten after that. */
const forgetAfter = '10m'

/*
 * Keeps one instance registered with the local agent. States:
 *
 *   new → registered ⇄ missing (the agent has begun anew, or is away: told again at the next look) → deregistered
 */
export function registerService(
  service: ServiceRegistration,
  options: RegistrationOptions,
): Part & { health(): Health } {
  return new Registration(service, options)
}

class Registration implements Part {
  readonly name: string
  readonly #service: ServiceRegistration
  readonly #agent: ConsulAgent
  readonly #logger: Logger
  readonly #everyMs: number
  readonly #rounds: Rounds
  #looking: Promise<void> = Promise.resolve()
  #registered = false
  #trouble: string | undefined = 'not registered yet'

  constructor(service: ServiceRegistration, { access, clock, logger, everyMs = 5_000 }: RegistrationOptions) {
    this.name = `registration of ${service.name} with Consul`
    this.#service = service
    this.#agent = new ConsulAgent(access)
    this.#logger = logger
    this.#everyMs = everyMs
    this.#rounds = new Rounds(clock, async (signal) => {
      this.#looking = this.#look(signal)
      await this.#looking
      return everyMs
    })
  }

  /** Does not fail when Consul is away: the instance serves, and is registered when Consul is back. */
  start(): Promise<void> {
    return this.#rounds.start()
  }

  /** Takes it out of Consul, so that nobody is sent here any more; waits 2 s at most, and never fails. */
  async stop(): Promise<void> {
    this.#rounds.stop()
    await this.#looking // a registration that is under way must not come after the end of it
    try {
      await this.#put(`/v1/agent/service/deregister/${encodeURIComponent(this.#service.id)}`)
    } catch (error) {
      this.#logger.warn('not deregistered from Consul', { error: messageOf(error) })
    }
  }

  health(): Health {
    if (this.#trouble === undefined) return { state: 'ok' }
    return { state: 'degraded', reason: `Consul does not list this process: ${this.#trouble}` }
  }

  async #look(signal: AbortSignal): Promise<void> {
    try {
      if (!this.#registered || !(await this.#listed())) {
        if (signal.aborted) return
        await this.#register()
      }
      if (this.#trouble !== undefined) this.#logger.info('registered with Consul', { id: this.#service.id })
      this.#trouble = undefined
    } catch (error) {
      const trouble = messageOf(error)
      if (trouble !== this.#trouble) this.#logger.warn(`not registered: ${trouble}`, { id: this.#service.id })
      this.#trouble = trouble
    }
  }

  async #listed(): Promise<boolean> {
    const { status } = await this.#send({ path: `/v1/agent/service/${encodeURIComponent(this.#service.id)}` })
    if (status !== 200 && status !== 404) throw refusal(status)
    return status === 200
  }

  async #register(): Promise<void> {
    this.#registered = false
    const { name, id, address, port } = this.#service
    const body = { Name: name, ID: id, Address: address, Port: port, Check: this.#check() }
    await this.#put('/v1/agent/service/register', { query: { 'replace-existing-checks': 'true' }, body })
    this.#registered = true
  }

  #check(): object {
    const { id, address, port, healthPort = port } = this.#service
    const host = address.includes(':') ? `[${address}]` : address
    return {
      CheckID: `service:${id}`,
      HTTP: `http://${host}:${healthPort}/health/ready`,
      Interval: `${this.#everyMs}ms`,
      Timeout: '2s',
      DeregisterCriticalServiceAfter: forgetAfter,
    }
  }

  async #put(path: string, more: Partial<ConsulRequest> = {}): Promise<void> {
    const { status } = await this.#send({ ...more, method: 'PUT', path })
    if (status !== 200) throw refusal(status)
  }

  #send(request: Omit<ConsulRequest, 'timeoutMs'>): Promise<ConsulAnswer> {
    return this.#agent.send({ ...request, timeoutMs })
  }
}
