/** What the clock of a server said by its `Date` header, ms since the epoch, to the second; undefined when it did not say. */
export function timeOf(date: string | null | undefined): number | undefined {
  const ms = Date.parse(date ?? '')
  return Number.isNaN(ms) ? undefined : ms
}
