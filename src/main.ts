import { setFlagsFromString } from 'node:v8'
import { codeOf, messageOf } from '@splitstream/kernel'
import { announceKey } from './announce-key.ts'
import { ConfigError, loadConfig } from './config.ts'
import { endBy } from './end-by.ts'
import { LiveSettings } from './live-settings.ts'
import { type Running, startProcess } from './process.ts'
import { stopSignal } from './stop-signal.ts'

// Young collections of 1 ms in place of 15, and half as many full ones (docs/adr/0006).
setFlagsFromString('--no-allocation-site-pretenuring')
setFlagsFromString('--heap-growing-percent=300')

/** How long a stop may take after DRAIN_SECONDS, and one after the log was lost, ms: what hangs is left behind. */
const [stopMs, lostMs] = [60_000, 20_000]

/**
 * config → start → wait for a signal, or until the log cannot be written any more → stop; SIGHUP reads the settings again.
 * Exit codes: 0 asked to stop, 1 failed, or something did not stop in time, 2 the configuration is not valid.
 */
export async function main(): Promise<void> {
  // From the first moment on: engines that are being started are not left behind.
  const asked = stopSignal()
  let onHangUp = (): void => undefined
  // From a terminal it means that the terminal is gone, and the server ends with it.
  if (!process.stderr.isTTY) process.on('SIGHUP', () => onHangUp())
  let running: Running | undefined
  const endIn = (ms: number): void => endBy(ms, () => running?.ending ?? 'what is being started')
  try {
    const settings = new LiveSettings(loadConfig)
    void asked.then(() => endIn(settings.config.DRAIN_SECONDS * 1_000 + stopMs))
    running = await startProcess(settings)
    onHangUp = () => running?.reload()
    if (running.freshAdminKey !== undefined) announceKey(running.freshAdminKey)
    process.stderr.write(`Splitstream listens at ${running.url}\n`)
    const lost = await Promise.race([asked, running.lost])
    if (lost !== undefined) {
      process.stderr.write(`${lost}. This process ends, and has to be started again; what was acknowledged is safe\n`)
      endIn(lostMs)
    }
    await running.stop()
    process.exit(lost === undefined ? 0 : 1)
  } catch (error) {
    const isConfig = error instanceof ConfigError || codeOf(error) === 'CONFIG_INVALID'
    process.stderr.write(`${isConfig ? messageOf(error) : error instanceof Error ? error.stack : String(error)}\n`)
    process.exit(isConfig ? 2 : 1)
  }
}

if (import.meta.main) await main()
