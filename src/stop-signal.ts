/** Resolves at the first SIGTERM or SIGINT; a start that is under way ends first. A second signal means now. */
export function stopSignal(): Promise<void> {
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
