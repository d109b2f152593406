import { type Clock, type Lane, type Logger, messageOf } from '@splitstream/kernel'

const [leastPauseMs, maxPauseMs] = [100, 5_000]
/** A handler that ran for so long was well: the next pause is a short one again. */
const wellMs = 60_000

/**
 * Runs the handler of a lane again and again, with growing pauses, until the lane's signal aborts.
 * @param mayRun asked before each run; when it says no, there is a pause and it is asked again
 */
export async function runLane(
  lane: Lane,
  handler: (lane: Lane) => Promise<void>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  mayRun: () => Promise<boolean> = async () => true,
): Promise<void> {
  let pause = leastPauseMs
  while (!lane.signal.aborted) {
    let next = pause
    if (await mayRun()) {
      const from = clock.monotonic()
      try {
        await handler(lane)
      } catch (error) {
        logger.warn('a log consumer failed and is run again', { partition: lane.partition, error: messageOf(error) })
      }
      if (clock.monotonic() - from > wellMs) pause = leastPauseMs
      next = Math.min(pause * 2, maxPauseMs)
    }
    if (!lane.signal.aborted) await clock.sleep(pause, lane.signal).catch(() => undefined)
    pause = next
  }
}
