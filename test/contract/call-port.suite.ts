import { afterEach, beforeEach, describe } from 'vitest'
import type { Joined } from './adapters.ts'
import { callCases } from './cases/calls.ts'
import { deliveryCases } from './cases/delivery.ts'
import { errorCases } from './cases/errors.ts'
import { streamCases } from './cases/streams.ts'
import { valueCases } from './cases/values.ts'

/**
 * What every adapter of call ports must do. A module that was tested over one of them works over all, so there is no case
 * that is skipped or differs for one of them.
 */
export function callPortSuite(name: string, join: () => Promise<Joined>): void {
  describe(`call port: ${name}`, () => {
    let joined: Joined
    beforeEach(async () => {
      joined = await join()
    })
    afterEach(() => joined.close())
    const current = (): Joined => joined
    valueCases(current)
    errorCases(current)
    callCases(current)
    deliveryCases(current)
    streamCases(current)
  })
}
