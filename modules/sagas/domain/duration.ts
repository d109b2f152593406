import { z } from 'zod'

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const form = /^(\d{1,9})(ms|s|m|h|d)$/
const longestMs = 3_650 * units.d

/** `250ms`, `30s`, `5m`, `2h`, `30d` in ms; undefined for anything else, and for more than ten years. */
export function parseDuration(text: string): number | undefined {
  const match = form.exec(text)
  if (!match) return undefined
  const ms = Number(match[1]) * units[match[2] as keyof typeof units]
  return ms <= longestMs ? ms : undefined
}

/** A duration of a definition; stays text there, as the definition is kept as it was published. */
export const duration = z
  .string()
  .regex(form, { error: 'a duration is expected, such as 250ms, 30s, 5m, 2h or 30d', abort: true })
  .refine((text) => parseDuration(text) !== undefined, 'ten years at most')
  .describe('A whole number and a unit: ms, s, m, h or d. Ten years at most.')

/** A duration that was checked when its definition was published, ms. */
export function durationMs(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new RangeError(`${text} is no duration`)
  return ms
}
