import { AppError, type Call, type CallPort, type Clock, type PortMethod, whyAborted } from '@splitstream/kernel'
import { bytesIn, maxInputBytes, tooLarge } from '../input-limit.ts'
import type { PortCalls } from '../port-calls.ts'

/**
 * The in-process adapter of a call port: a plain forwarded call, with the call's signal, its budget and the size of its input
 * checked first. No serialization, no copy; not async itself, so that it costs no extra turn. `target` is asked late, because two
 * modules may require each other.
 */
export function bindInProcess<P extends object>(port: CallPort<P>, target: () => P, clock: Clock): P {
  const bound: Record<string, PortMethod> = {}
  for (const name of Object.keys(port.methods)) {
    let method: PortMethod | undefined
    bound[name] = (input: never, call: Call): Promise<unknown> => {
      if (call.signal.aborted) return Promise.reject(whyAborted(call.signal))
      if (clock.monotonic() >= call.deadline) {
        return Promise.reject(new AppError('DEADLINE_EXCEEDED', 'The time budget is spent'))
      }
      if (bytesIn(input) > maxInputBytes) return Promise.reject(tooLarge())
      method ??= methodOf(target(), name)
      return method(input, call)
    }
  }
  return bound as P
}

function methodOf<P extends object>(implementation: P, name: string): PortMethod {
  const method = implementation[name as keyof P] as PortMethod
  return (input, call) => method.call(implementation, input, call)
}

/** The same, with what is told of calls. */
export function bindObserved<P extends object>(port: CallPort<P>, target: () => P, clock: Clock, calls: PortCalls): P {
  const plain = bindInProcess(port, target, clock) as Record<string, PortMethod>
  const bound: Record<string, PortMethod> = {}
  for (const [name, method] of Object.entries(plain)) {
    const observed = calls.of(port.name, name, 'in_process')
    bound[name] = (input, call) => observed.run(call, (within) => method(input, within))
  }
  return bound as P
}
