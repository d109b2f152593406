import { setTimeout as delay } from 'node:timers/promises'

/** What PUT /v1/agent/service/register takes, as far as the product uses it. */
export interface Registered {
  readonly Name: string
  readonly ID: string
  readonly Address: string
  readonly Port: number
  readonly Check: {
    readonly CheckID: string
    readonly DeregisterCriticalServiceAfter: string
    readonly HTTP: string
    readonly Interval: string
    readonly Timeout: string
  }
}

export type CheckStatus = 'passing' | 'warning' | 'critical'

interface Member {
  readonly service: Registered
  status: CheckStatus
  readonly checking: AbortController
}

/** The services of an agent and their checks. Each change counts the index on and wakes those who wait for one. */
export class Catalog {
  readonly #members = new Map<string, Member>()
  #waiting: (() => void)[] = []
  index = 10

  has(id: string): boolean {
    return this.#members.has(id)
  }

  register(service: Registered): void {
    void this.#check(this.#place(service, 'critical'))
  }

  /** One that nobody asks how it does: it stays as it is. */
  keep(service: Omit<Registered, 'Check'>, status: CheckStatus): void {
    const unasked = { CheckID: `service:${service.ID}`, HTTP: '', Interval: '', Timeout: '' }
    this.#place({ ...service, Check: { ...unasked, DeregisterCriticalServiceAfter: '10m' } }, status)
  }

  #place(service: Registered, status: CheckStatus): Member {
    this.#members.get(service.ID)?.checking.abort()
    const member: Member = { service, status, checking: new AbortController() }
    this.#members.set(service.ID, member)
    this.change()
    return member
  }

  deregister(id: string): boolean {
    this.#members.get(id)?.checking.abort()
    const found = this.#members.delete(id)
    if (found) this.change()
    return found
  }

  /** As if a check had come to that, until the next one. @throws Error for one that is not known */
  tell(checkId: string, status: CheckStatus): void {
    const member = [...this.#members.values()].find(({ service }) => service.Check.CheckID === checkId)
    if (!member) throw new Error(`no check ${checkId}`)
    this.#set(member, status)
  }

  /** The body of /v1/health/service/:name?passing=true. */
  passing(name: string): object[] {
    return [...this.#members.values()]
      .filter(({ service, status }) => service.Name === name && status === 'passing')
      .map(({ service: { ID, Name, Address, Port } }) => ({
        Node: { Node: 'test', Address: '127.0.0.1', Datacenter: 'dc1' },
        Service: { ID, Service: Name, Address, Port, Weights: { Passing: 1, Warning: 1 } },
        Checks: [{ Node: 'test', CheckID: `service:${ID}`, Status: 'passing', ServiceID: ID, ServiceName: Name }],
      }))
  }

  /** Resolves at the next change. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  change(): void {
    this.index++
    const waiting = this.#waiting
    this.#waiting = []
    for (const wake of waiting) wake()
  }

  clear(): void {
    for (const { checking } of this.#members.values()) checking.abort()
    this.#members.clear()
  }

  #set(member: Member, status: CheckStatus): void {
    if (member.status === status) return
    member.status = status
    this.change()
  }

  async #check(member: Member): Promise<void> {
    const { HTTP, Interval } = member.service.Check
    const { signal } = member.checking
    while (!signal.aborted) {
      const ok = await fetch(HTTP, { signal }).then(
        ({ status }) => status >= 200 && status < 300,
        () => false,
      )
      if (!signal.aborted) this.#set(member, ok ? 'passing' : 'critical')
      await delay(milliseconds(Interval)!, undefined, { signal }).catch(() => {})
    }
  }
}

/** A duration as Go writes it, with one unit; undefined for what is none. */
export function milliseconds(text: string): number | undefined {
  const [, digits, unit] = /^(\d+)(ms|s|m)$/.exec(text) ?? []
  return digits === undefined ? undefined : Number(digits) * { ms: 1, s: 1_000, m: 60_000 }[unit as 'ms' | 's' | 'm']
}
