import { setTimeout as sleep } from 'node:timers/promises'

const patienceMs = 120_000

/** Waits until storage has taken all that is in the log. @throws Error when that takes over two minutes */
export async function untilAllStored(url: string): Promise<void> {
  for (const end = performance.now() + patienceMs; performance.now() < end; await sleep(100)) {
    const text = await (await fetch(`${url}/metrics`)).text()
    if (/^splitstream_log_lag_events\{[^}]*"storage"\} 0$/m.test(text)) return
  }
  throw new Error('storage did not take all that is in the log within two minutes')
}
