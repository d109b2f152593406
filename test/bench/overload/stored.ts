import { setTimeout as sleep } from 'node:timers/promises'
import type { RunningServer } from '../../support/server.ts'

const patienceMs = 120_000

/** Waits until storage has taken all that is in the log. @throws Error when that takes over two minutes, with what the server said */
export async function untilAllStored({ url, output }: Pick<RunningServer, 'url' | 'output'>): Promise<void> {
  const lags: number[] = []
  for (const end = performance.now() + patienceMs; performance.now() < end; await sleep(100)) {
    const text = await (await fetch(`${url}/metrics`)).text()
    const lag = Number(/^splitstream_log_lag_events\{[^}]*"storage"\} (\d+)$/m.exec(text)?.[1])
    if (lag === 0) return
    lags.push(lag)
  }
  const course = `${lags[0]} events were left at first, ${lags.at(-1)} at last`
  throw new Error(
    `storage did not take all that is in the log within two minutes: ${course}; ${output().slice(-2_000)}`,
  )
}
