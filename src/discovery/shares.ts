/** An address, and how much of the calls it should get, compared with the others. */
export interface Share {
  /** As in Instance. */
  readonly origin: string
  /** As in Instance. */
  readonly name?: string | undefined
  /** As in a record of DNS or Consul; 0 counts as the least there is. */
  readonly weight: number
}

/** More addresses than that are not used. */
export const maxOrigins = 256

/** Most times that one origin stands in a list. */
const maxTurns = 8

/**
 * Origins in the order in which they take their turn. Each stands there as often as its weight says, in small whole
 * numbers: the heaviest at most 8 times, the lightest once. The turns of one are spread over the list. The order depends on
 * nothing but the shares.
 */
export function turns(shares: readonly Share[]): string[] {
  const weights = new Map<string, number>()
  for (const { origin, weight } of shares) weights.set(origin, (weights.get(origin) ?? 0) + Math.max(0, weight))
  const origins = [...weights.keys()].sort().slice(0, maxOrigins)
  const heaviest = Math.max(...origins.map((origin) => weights.get(origin)!))
  const parts = origins.map((origin) => (heaviest > 0 ? weights.get(origin)! / heaviest : 1))
  const rounds = fewestRounds(parts)
  const counts = parts.map((part) => Math.max(1, Math.round(part * rounds)))
  return Array.from({ length: rounds }, (_, round) =>
    origins.filter((_, i) => takesTurn(counts[i]!, round, rounds)),
  ).flat()
}

/** Into how many the list is divided so that whole turns come nearest to the parts, which are at most 1. */
function fewestRounds(parts: readonly number[]): number {
  const errors = Array.from({ length: maxTurns }, (_, i) =>
    parts.reduce((sum, part) => sum + Math.abs(Math.round(part * (i + 1)) / (i + 1) - part), 0),
  )
  const least = Math.min(...errors)
  return errors.findIndex((error) => error <= least + 1e-9) + 1
}

/** Whether one that takes `count` turns in all `rounds` takes one in this round: as evenly as they go. */
function takesTurn(count: number, round: number, rounds: number): boolean {
  return Math.floor(((round + 1) * count) / rounds) > Math.floor((round * count) / rounds)
}
