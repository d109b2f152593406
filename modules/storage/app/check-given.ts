import { AppError, type LogReader, type Position } from '@splitstream/kernel'

/**
 * A log that was restored from a backup has left out the places that were given after that backup: events that are gone.
 * @throws AppError POSITION_INVALID when the position names one of them: to wait for it, or to take it for stored, would be wrong
 */
export function checkGiven(log: Pick<LogReader, 'isSkipped'>, position: Position): void {
  for (const [partition, next] of position) {
    if (!log.isSkipped?.(partition, next)) continue
    throw new AppError(
      'POSITION_INVALID',
      'The position is of events that were lost with an installation, which was restored from an older backup',
    )
  }
}
