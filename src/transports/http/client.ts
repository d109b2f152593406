import {
  AppError,
  type Call,
  type CallPort,
  type Clock,
  checkCall,
  type ErrorCode,
  type Judge,
  type MethodDescription,
  type PortMethod,
  type Random,
  remaining,
  type Span,
  systemRandom,
} from '@splitstream/kernel'
import type { Instance, Resolver } from '../../discovery/resolver.ts'
import { longestMs, writeCall } from '../call-headers.ts'
import type { PortCalls } from '../port-calls.ts'
import { type Encoded, encode } from '../wire.ts'
import { attempt, type Failure, type Result } from './attempt.ts'
import { Balance } from './balance.ts'
import { authorizationHeader, type Caller } from './caller.ts'
import { type ClientLimits, clientDefaults } from './limits.ts'
import { methodPath } from './paths.ts'

/** What stands before all calls of a port, and is told how each ended; a call may be refused there. */
export interface CallGuard {
  run<T>(call: Call, work: (call: Call) => Promise<T>, judge: Judge<T>): Promise<T>
}

export interface HttpCallOptions extends Caller {
  readonly instances: Resolver
  readonly clock: Clock
  readonly random?: Random
  /** What is told of calls. */
  readonly calls?: PortCalls
  readonly guard?: CallGuard
  readonly limits?: Partial<ClientLimits>
}

/**
 * A call port whose implementation runs in other processes. Beside the errors of the contract its methods throw:
 * UNAVAILABLE (no instance could be reached: the call did not run), UNKNOWN_OUTCOME (the connection was lost after the
 * call was sent: it may have run), DEADLINE_EXCEEDED, CANCELLED, OVERLOADED, UNPROCESSABLE (the answer is too large).
 */
export function callOverHttp<P extends object>(port: CallPort<P>, options: HttpCallOptions): P {
  const balance = new Balance(options.random ?? systemRandom)
  const bound: Record<string, PortMethod> = {}
  for (const [name, description] of Object.entries<MethodDescription>(port.methods)) {
    const method = new RemoteMethod(port, name, description, options, balance)
    const observed = options.calls?.of(port.name, name, 'http')
    bound[name] = observed
      ? (input, call) => observed.run(call, (within, span) => method.call(input, within, span))
      : (input, call) => method.call(input, call)
  }
  return bound as P
}

class RemoteMethod {
  readonly #port: CallPort<object>
  readonly #path: string
  readonly #description: MethodDescription
  readonly #options: HttpCallOptions
  readonly #limits: ClientLimits
  readonly #balance: Balance
  readonly #authorization: ReturnType<typeof authorizationHeader>

  constructor(
    port: CallPort<object>,
    name: string,
    description: MethodDescription,
    options: HttpCallOptions,
    balance: Balance,
  ) {
    this.#port = port
    this.#path = methodPath(port.name, port.version, name)
    this.#description = description
    this.#options = options
    this.#limits = { ...clientDefaults, ...options.limits }
    this.#balance = balance
    this.#authorization = authorizationHeader(options)
  }

  async call(input: unknown, call: Call, span?: Span): Promise<unknown> {
    const { clock, guard } = this.#options
    checkCall(call, clock)
    const body = encode(input)
    const tries = (within: Call): Promise<Result> => this.#tries(body, within, span)
    const result = guard ? await guard.run(call, tries, judge) : await tries(call)
    if (result.kind === 'value') return result.value
    throw result.error
  }

  /*
   * Tries until one try succeeds, fails for good, or there is no try left. A try whose call certainly never ran may always
   * be repeated; one that may have run only when the method is idempotent. Once a try may have run, the call as a whole
   * must not end with an error that says it did not: then it ends as UNKNOWN_OUTCOME.
   */
  async #tries(body: Encoded, call: Call, span: Span | undefined): Promise<Result> {
    const tried: Instance[] = []
    let unknown: AppError | undefined
    for (;;) {
      const result = await this.#try(body, call, tried)
      if (span) describe(span, tried)
      if (result.kind === 'value') return result
      const { error, mayHaveRun } = result
      if (mayHaveRun && error.code === 'UNKNOWN_OUTCOME') unknown = error
      if (this.#mayRepeat(result, tried.length) && (await this.#pause(call, tried.length))) continue
      return { ...result, error: mayHaveRun || saysNothing.has(error.code) ? error : (unknown ?? error) }
    }
  }

  async #try(body: Encoded, call: Call, tried: Instance[]): Promise<Result> {
    const { clock, instances, pool } = this.#options
    const instance = this.#balance.pick(instances.current(), tried)
    if (!instance) {
      const error = new AppError('UNAVAILABLE', `No instance that serves ${this.#port.name} is known`)
      tried.push(nobody)
      return { kind: 'error', error, mayHaveRun: false, outcome: 'unreachable' }
    }
    tried.push(instance)
    const from = clock.monotonic()
    const streams = this.#description.streams === true
    const leave = pool.enter(streams)
    const away = this.#balance.enter(instance)
    const over = (): void => {
      leave()
      away()
    }
    const result = await attempt({
      open: (request) => pool.request(instance, streams, request),
      path: this.#path,
      headers: { ...this.#authorization, ...writeCall(call, this.#port.version, clock) },
      body,
      maxAnswerBytes: this.#limits.maxAnswerBytes,
      connectTimeoutMs: this.#limits.connectTimeoutMs,
      budgetMs: Math.min(remaining(call, clock), longestMs),
      signal: call.signal,
      over,
    })
    const outcome = result.kind === 'value' ? 'answered' : result.outcome
    if (outcome) instances.report(instance, outcome, clock.monotonic() - from)
    return result
  }

  #mayRepeat({ error, mayHaveRun }: Failure, tries: number): boolean {
    if (tries > this.#limits.maxRetries || !repeatable.has(error.code)) return false
    if (!mayHaveRun) return true
    // A callee that says when it wants to be asked again, later than we would, leaves that to the caller.
    return this.#description.idempotent && (error.retryAfterMs ?? 0) <= this.#limits.retryDelayMs
  }

  /** Waits before another try. @returns false when the budget is too small for one */
  async #pause(call: Call, tries: number): Promise<boolean> {
    const { clock, random = systemRandom } = this.#options
    const most = this.#limits.retryDelayMs * 2 ** (tries - 1)
    const ms = most / 2 + (random.fraction() * most) / 2
    if (ms >= remaining(call, clock)) return false
    try {
      await clock.sleep(ms, call.signal)
    } catch {
      throw new AppError('CANCELLED', 'The caller went away')
    }
    return true
  }
}

/** Who answered at last, and how many were asked in vain. */
function describe(span: Span, tried: readonly Instance[]): void {
  const url = URL.parse(tried.at(-1)?.origin ?? '')
  if (url) span.set('server.address', url.hostname).set('server.port', portOf(url))
  if (tried.length > 1) span.set('http.request.resend_count', tried.length - 1)
}

const portOf = ({ port, protocol }: URL): number => Number(port || (protocol === 'https:' ? 443 : 80))

/** An error of the contract is a good answer. Time that ran out says nothing: a call may wait for as long as it likes. */
const judge: Judge<Result> = {
  value: (result) => {
    if (result.kind === 'value' || result.outcome === 'answered') return 'good'
    return result.outcome === undefined || result.outcome === 'late' ? 'none' : 'bad'
  },
  error: () => 'none',
}

const nobody: Instance = { origin: '' }

const repeatable: ReadonlySet<ErrorCode> = new Set(['UNAVAILABLE', 'STOPPING', 'UNKNOWN_OUTCOME'])

/** Errors that claim nothing about whether the call ran. */
const saysNothing: ReadonlySet<ErrorCode> = new Set(['DEADLINE_EXCEEDED', 'CANCELLED'])
