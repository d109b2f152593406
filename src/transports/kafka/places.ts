import { partitionsPerLog } from '@splitstream/kernel'

/*
 * Places in a Kafka log. Kafka counts records; the log port counts events, and a record here holds a whole batch. So event i
 * of the record at Kafka offset k has the offset k × 65,536 + i: increasing, with gaps between records, and below 2^53 for
 * the first 1.4 × 10^11 records of a partition (four years of 1,000 a second).
 */

/** Events of one record, at most. */
export const maxEventsPerRecord = 65_536

export const firstPartition = partitionsPerLog

/** @throws RangeError beyond what a number holds exactly */
export function placeOf(kafkaOffset: string | number): number {
  const place = Number(kafkaOffset) * maxEventsPerRecord
  if (!Number.isSafeInteger(place)) throw new RangeError(`Kafka offset ${kafkaOffset} is too large: use a new topic`)
  return place
}

/** The record that holds `place`, or the one before it when it lies in the gap between two. */
export const recordAt = (place: number): number => Math.floor(place / maxEventsPerRecord)

/** The record after everything before `next`. */
export const recordAfter = (next: number): number => Math.ceil(next / maxEventsPerRecord)
