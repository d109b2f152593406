/**
 * Ends the process after `ms`, whatever hangs, so that its supervisor can start it again.
 * @param underWay what it waits for then, for the last words
 */
export function endBy(ms: number, underWay: () => string): void {
  const end = (): void => {
    process.stderr.write(
      `${underWay()} has not ended after ${ms / 1_000} s and is left; what was acknowledged is safe\n`,
    )
    process.exit(1)
  }
  setTimeout(end, ms).unref()
}
