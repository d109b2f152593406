import type { CallPort, Clock, PortMethod } from '@splitstream/kernel'
import { bindInProcess } from '../../src/transports/inproc/bind.ts'

/**
 * The in-process adapter with everything frozen that is handed over, deep: inputs, answers, items of streams. There both sides
 * have the same objects (src/kernel/port.ts), so whoever changes what was handed over would change it for the other side;
 * here that throws at once, in the line that does it.
 */
export function bindFrozen<P extends object>(port: CallPort<P>, target: () => P, clock: Clock): P {
  const plain = bindInProcess(port, target, clock) as Record<string, PortMethod>
  const bound: Record<string, PortMethod> = {}
  for (const [name, method] of Object.entries(plain)) {
    bound[name] = async (input, call) => {
      const output = await method(freeze(input), call)
      return isStream(output) ? frozenItems(output) : freeze(output)
    }
  }
  return bound as P
}

async function* frozenItems(items: AsyncIterable<unknown>): AsyncGenerator<unknown, void> {
  for await (const item of items) yield freeze(item)
}

const isStream = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value

/** Bytes stay as they are: there is no way to freeze them. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const member of Object.values(value)) freeze(member)
  return value
}
