import { afterEach, beforeEach, describe } from 'vitest'
import type { LogUnderTest, OpenLog } from './logs.ts'
import { appendCases } from './stream-cases/appends.ts'
import { byteCases } from './stream-cases/bytes.ts'
import { groupCases } from './stream-cases/groups.ts'
import { laneCases } from './stream-cases/lanes.ts'
import { pressureCases } from './stream-cases/pressure.ts'
import { readCases } from './stream-cases/reads.ts'
import { refusalCases } from './stream-cases/refusals.ts'
import { restartCases } from './stream-cases/restarts.ts'
import { traceCases } from './stream-cases/traces.ts'

/**
 * What every adapter of the stream port must do. Storage and ingest work over all of them alike, so there is no case that
 * is skipped or differs for one of them.
 */
export function streamPortSuite(name: string, open: OpenLog): void {
  describe(`stream port: ${name}`, () => {
    let current: LogUnderTest
    beforeEach(async () => {
      current = await open()
    })
    afterEach(() => current?.close())
    const tested = (): LogUnderTest => current
    appendCases(tested)
    refusalCases(tested)
    byteCases(tested)
    readCases(tested)
    groupCases(tested)
    laneCases(tested)
    restartCases(tested)
    traceCases(tested)
    pressureCases(open)
  })
}
