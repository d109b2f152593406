import { describe, it } from 'vitest'

/** Whether nothing may be left out. */
export const inCi = [process.env.CI, process.env.SPLITSTREAM_CI].some(
  (value) => value && !['0', 'false'].includes(value),
)

/**
 * A suite that needs something which a machine may lack. `unavailable` says why it cannot run: then it is skipped, with a
 * word on stderr; in CI (CI or SPLITSTREAM_CI is set) it fails, because a skipped test proves nothing.
 */
export function describeUnless(unavailable: string | undefined, name: string, body: () => void): void {
  if (unavailable === undefined) return void describe(name, body)
  if (!inCi) {
    process.stderr.write(`SKIPPED "${name}": ${unavailable}\n`)
    return void describe.skip(name, body)
  }
  describe(name, () => {
    it('finds what it needs', () => {
      throw new Error(unavailable)
    })
  })
}
