import { setFlagsFromString } from 'node:v8'
import { codeOf, messageOf } from '@splitstream/kernel'
import { ConfigError, loadConfig } from './config.ts'
import { LiveSettings } from './live-settings.ts'
import { startProcess } from './process.ts'

// Young collections of 1 ms in place of 15, and half as many full ones (docs/adr/0006).
setFlagsFromString('--no-allocation-site-pretenuring')
setFlagsFromString('--heap-growing-percent=300')

/**
 * config → start → wait for a signal, or until the log cannot be written any more → stop; SIGHUP reads the settings again.
 * Exit codes: 0 asked to stop, 1 failed, 2 the configuration is not valid.
 */
export async function main(): Promise<void> {
  // From the first moment on: engines that are being started are not left behind.
  const asked = stopSignal()
  let onHangUp = (): void => undefined
  // From a terminal it means that the terminal is gone, and the server ends with it.
  if (!process.stderr.isTTY) process.on('SIGHUP', () => onHangUp())
  try {
    const running = await startProcess(new LiveSettings(loadConfig))
    onHangUp = () => running.reload()
    if (running.freshAdminKey !== undefined) announceKey(running.freshAdminKey)
    process.stderr.write(`Splitstream listens at ${running.url}\n`)
    const lost = await Promise.race([asked, running.lost])
    if (lost !== undefined) endSoon(lost)
    await running.stop()
    process.exit(lost === undefined ? 0 : 1)
  } catch (error) {
    const isConfig = error instanceof ConfigError || codeOf(error) === 'CONFIG_INVALID'
    process.stderr.write(`${isConfig ? messageOf(error) : error instanceof Error ? error.stack : String(error)}\n`)
    process.exit(isConfig ? 2 : 1)
  }
}

/** Resolves at the first SIGTERM or SIGINT; a start that is under way ends first. A second signal means now. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    const onSignal = (signal: NodeJS.Signals): void => {
      if (asked) process.exit(1)
      asked = true
      process.stderr.write(`${signal}: stopping; what was acknowledged is safe\n`)
      resolve()
    }
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  })
}

/** Says why. What hangs for the same reason does not keep this process from being started again. */
function endSoon(why: string): void {
  process.stderr.write(`${why}. This process ends, and has to be started again; what was acknowledged is safe\n`)
  setTimeout(() => process.exit(1), 20_000).unref()
}

function announceKey(key: string): void {
  process.stderr.write(`
  The operator's API key, shown this once. Keep it:

      ${key}

`)
}

if (import.meta.main) await main()
