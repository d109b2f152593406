import { describe, it } from 'vitest'
import { kafkaUnavailable } from './source.ts'

const unavailable = await kafkaUnavailable()
const inCi = [process.env.CI, process.env.SPLITSTREAM_CI].some((value) => value && !['0', 'false'].includes(value))

/**
 * A suite that needs Kafka. Where there is none it is skipped and says so; in CI (CI or SPLITSTREAM_CI is set) it fails,
 * because a skipped test proves nothing.
 */
export function describeWithKafka(name: string, body: () => void): void {
  if (unavailable === undefined) return void describe(name, body)
  if (!inCi) {
    process.stderr.write(`SKIPPED "${name}": ${unavailable}\n`)
    return void describe.skip(name, body)
  }
  describe(name, () => {
    it('finds Kafka', () => {
      throw new Error(unavailable)
    })
  })
}
