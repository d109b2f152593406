/**
 * What is wrong with one direction of all connections; those of toxiproxy (github.com/Shopify/toxiproxy). They add up: several
 * latencies are their sum, of several bandwidths the smallest counts.
 */
export type Toxic =
  /** Bytes arrive so much later, ms. With `share` only that part of the chunks (0 to 1), drawn by the seed; order is kept. */
  | { readonly kind: 'latency'; readonly ms: number; readonly share?: number }
  /** Bytes arrive later by a time between 0 and `ms`, drawn anew for each chunk; order is kept. */
  | { readonly kind: 'jitter'; readonly ms: number }
  | { readonly kind: 'bandwidth'; readonly bytesPerSecond: number }
  /** Bytes leave in slices of `bytes` ± `variation`, one each `delayMs`. */
  | { readonly kind: 'slicer'; readonly bytes: number; readonly variation?: number; readonly delayMs?: number }
  /** Nothing gets through; after `ms` the connection is closed. 0: it never is, and goes on once the toxic is gone. */
  | { readonly kind: 'timeout'; readonly ms: number }
  /** After `ms` the connection is reset (RST). */
  | { readonly kind: 'reset'; readonly ms: number }
  /** After so many bytes the connection is closed. Those that went before the toxic came do not count. */
  | { readonly kind: 'limit'; readonly bytes: number }

/** The toxics of one direction, added up. Without one of them it is a plain pipe. */
export interface Ailment {
  readonly latencies: readonly { readonly ms: number; readonly share: number }[]
  readonly jitterMs: number
  readonly bytesPerSecond: number
  readonly slice: { readonly bytes: number; readonly variation: number; readonly delayMs: number } | undefined
  /** Closed after so long, ms; 0 never. Undefined: bytes get through. */
  readonly stalledMs: number | undefined
  readonly resetMs: number | undefined
  readonly limitBytes: number
}

export function ailmentOf(toxics: readonly Toxic[]): Ailment {
  const all = <K extends Toxic['kind']>(kind: K) =>
    toxics.filter((toxic): toxic is Extract<Toxic, { kind: K }> => toxic.kind === kind)
  const [slicer] = all('slicer')
  return {
    latencies: all('latency').map(({ ms, share = 1 }) => ({ ms, share })),
    jitterMs: all('jitter').reduce((sum, { ms }) => sum + ms, 0),
    bytesPerSecond: Math.min(Number.POSITIVE_INFINITY, ...all('bandwidth').map((one) => one.bytesPerSecond)),
    slice: slicer && { bytes: slicer.bytes, variation: slicer.variation ?? 0, delayMs: slicer.delayMs ?? 0 },
    stalledMs: all('timeout')[0]?.ms,
    resetMs: all('reset')[0]?.ms,
    limitBytes: Math.min(Number.POSITIVE_INFINITY, ...all('limit').map(({ bytes }) => bytes)),
  }
}

export const well = ailmentOf([])
