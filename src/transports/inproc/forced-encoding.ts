import {
  type AppError,
  type Call,
  type CallPort,
  type Clock,
  checkCall,
  type MethodDescription,
  type PortMethod,
} from '@splitstream/kernel'
import { readCall, writeCall } from '../call-headers.ts'
import { envelopeOf, errorOf } from '../error-envelope.ts'
import { maxInputBytes, tooLarge } from '../input-limit.ts'
import { parse, stringify } from '../json-value.ts'
import { decode, type Encoded, encode } from '../wire.ts'

/**
 * The in-process adapter with everything written to bytes and read back: input, call, answer, error, each item of a
 * stream. What a test passes with it does not rely on the caller and the callee sharing memory.
 */
export function bindForcedEncoding<P extends object>(port: CallPort<P>, target: () => P, clock: Clock): P {
  const bound: Record<string, PortMethod> = {}
  for (const [name, { streams }] of Object.entries<MethodDescription>(port.methods)) {
    bound[name] = async (input: unknown, call: Call): Promise<unknown> => {
      checkCall(call, clock)
      const encoded = encode(input)
      if (encoded.length > maxInputBytes) throw tooLarge()
      const sent = overTheWire(encoded) as never
      const headers = writeCall(call, port.version, clock)
      const received: Call = { ...readCall(headers, port.version, clock.monotonic()), signal: call.signal }
      const output = await (target()[name as keyof P] as PortMethod)(sent, received).catch(rethrow)
      return streams ? items(output as AsyncIterable<unknown>) : overTheWire(encode(output))
    }
  }
  return bound as P
}

function overTheWire({ type, parts }: Encoded): unknown {
  return decode(type, Buffer.concat(parts))
}

async function* items(source: AsyncIterable<unknown>): AsyncGenerator<unknown, void> {
  try {
    for await (const item of source) yield parse(stringify(item, 'an item of the stream'), 'INTERNAL')
  } catch (error) {
    rethrow(error)
  }
}

function rethrow(error: unknown): never {
  const envelope = JSON.stringify(envelopeOf(error))
  throw errorOf(parse(envelope, 'INTERNAL')) satisfies AppError
}
