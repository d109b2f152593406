import { AppError, type Call, type CallPort, type Clock, type PortMethod, whyAborted } from '@splitstream/kernel'
import { bytesIn, maxInputBytes, tooLarge } from '../input-limit.ts'
import type { PortCalls } from '../port-calls.ts'

/**
 * The in-process adapter of a call port: a plain forwarded call, with the call's signal, its budget and the size of its input
 * checked first. No serialization, no copy; not async itself, so that it costs no extra turn. `target` is asked late, because two
 * modules may require each other.
 */
export function bindInProcess<P extends object>(port: CallPort<P>, target: () => P, clock: Clock): P {
  return bindEach(port, target, (_, method) => (input, call) => {
    const refused = refusal(input, call, clock.monotonic())
    return refused ? Promise.reject(refused) : method(input, call)
  })
}

/** The same, with what is told of calls: this is what the product binds. One reading of the clock serves both. */
export function bindObserved<P extends object>(port: CallPort<P>, target: () => P, clock: Clock, calls: PortCalls): P {
  return bindEach(port, target, (name, method) => {
    const observed = calls.of(port.name, name, 'in_process')
    return (input, call) => {
      const now = clock.monotonic()
      const refused = refusal(input, call, now)
      return refused ? observed.refused(refused) : observed.direct(method, input, call, now)
    }
  })
}

/** Why the call should not go on. */
function refusal(input: unknown, call: Call, now: number): AppError | undefined {
  if (call.signal.aborted) return whyAborted(call.signal)
  if (now >= call.deadline) return new AppError('DEADLINE_EXCEEDED', 'The time budget is spent')
  return bytesIn(input) > maxInputBytes ? tooLarge() : undefined
}

function bindEach<P extends object>(
  port: CallPort<P>,
  target: () => P,
  bind: (name: string, method: PortMethod) => PortMethod,
): P {
  const bound: Record<string, PortMethod> = {}
  for (const name of Object.keys(port.methods)) {
    let method: ((input: never, call: Call) => Promise<unknown>) | undefined
    bound[name] = bind(name, (input, call) => {
      method ??= methodOf(target(), name)
      return method(input, call)
    })
  }
  return bound as P
}

function methodOf<P extends object>(implementation: P, name: string): PortMethod {
  const method = implementation[name as keyof P] as PortMethod
  return (input, call) => method.call(implementation, input, call)
}
