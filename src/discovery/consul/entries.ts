import { originAt, type Scheme } from '../host.ts'
import type { Share } from '../shares.ts'

/** An element of the answer to /v1/health/service/, as far as it is used. */
interface Entry {
  readonly Node?: { readonly Address?: string }
  readonly Service?: {
    readonly Address?: string
    readonly Port?: number
    readonly Weights?: { readonly Passing?: number }
  }
}

/**
 * Where the instances are: at the address of the service or, when it has none, of its node. One without a usable address is
 * left out. @throws Error when the text is no answer of that endpoint
 */
export function readEntries(text: string, scheme: Scheme): Share[] {
  const entries: unknown = JSON.parse(text)
  if (!Array.isArray(entries)) throw new Error('not a list')
  return entries.flatMap((entry: Entry) => {
    const { Address, Port, Weights } = entry.Service ?? {}
    const address = Address || entry.Node?.Address
    if (!address || !Port || !URL.canParse(`http://${address.includes(':') ? `[${address}]` : address}:${Port}`))
      return []
    return [{ origin: originAt(address, Port, scheme), weight: Weights?.Passing ?? 1 }]
  })
}
