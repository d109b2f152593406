import { decodeRow, joinEvent, openRecord, recordVersion, splitEvents } from '@splitstream/ingest/contract'
import { type LogAppend, type LogRecord, systemCall } from '@splitstream/kernel'
import type { Message } from 'kafkajs'
import { createAppend } from '../../modules/ingest/app/append-events.ts'
import { asCloudEvents, type EventCodec, readMessage } from '../../src/transports/kafka/cloud-event-record.ts'
import { asBatch, type Outgoing } from '../../src/transports/kafka/record.ts'
import { sampleBody } from './sample-events.ts'

/** A record as it lies on the topic; the value of a batch is also what the local log keeps. Bytes in base64. */
export interface Sample {
  readonly headers: Readonly<Record<string, string>>
  readonly value: string
  /** What every reader finds in it. */
  readonly rows: readonly object[]
}

/** The sample events, as ingest writes them now, by the form of the record. */
export interface Records {
  readonly version: number
  readonly forms: Readonly<Record<string, readonly Sample[]>>
}

const codec: EventCodec = { split: splitEvents, join: joinEvent }
/** 2026-03-01T12:00:00Z. */
const now = 1_772_366_400_000
const clock = { now: () => now, monotonic: () => 0, sleep: async () => {} }
const limits = { maxEvents: 1_000, maxEventBytes: 1 << 20, maxNameBytes: 1_024, maxAheadMs: 86_400_000 }

/** What ingest gives to the log for the sample events. */
async function appended(): Promise<Outgoing> {
  const taken: LogAppend[] = []
  const append = async (entries: readonly LogAppend[]) => {
    taken.push(...entries)
    return entries.map(({ partition, count }) => ({ partition, first: 0, last: count - 1 }))
  }
  const ingest = createAppend({ log: { partitions: 1, append }, clock, limits })
  const body = Buffer.from(sampleBody)
  const call = systemCall(clock, 1_000, new AbortController().signal, 'acme')
  await ingest({ body, mediaType: 'application/cloudevents-batch+json', mode: 'strict' }, call)
  const [{ count, bytes }] = taken as [LogAppend]
  return { count, bytes, appendedAt: now, traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` }
}

export async function readRecords(): Promise<Records> {
  const record = await appended()
  const form = (messages: Iterable<{ message: Message }>): Sample[] =>
    [...messages].map(({ message }) => sampleOf(message))
  return {
    version: recordVersion,
    forms: { batch: form(asBatch(0, record)), cloudevents: form(asCloudEvents(codec)(0, record)) },
  }
}

function sampleOf({ headers = {}, value }: Message): Sample {
  const sent = Object.entries(headers).map(([name, text]) => [name, Buffer.from(text as string).toString('base64')])
  const sample = { headers: Object.fromEntries(sent), value: (value as Buffer).toString('base64') }
  return { ...sample, rows: rowsOf(sample) }
}

/** As a consumer reads it. @throws RangeError or Error when it cannot */
function rowsOf({ headers, value }: Omit<Sample, 'rows'>): object[] {
  const bytes = Object.entries(headers).map(([name, text]) => [name, Buffer.from(text, 'base64')] as const)
  const stored = {
    headers: Object.fromEntries(bytes),
    value: Buffer.from(value, 'base64'),
    offset: '0',
    timestamp: '0',
  }
  const record: LogRecord = readMessage(0, stored, codec)
  if (record.corrupt) throw new Error('it is taken for a damaged one')
  const opened = openRecord(record.bytes)
  return Array.from({ length: opened.count }, (_, i) => {
    const { key, ...row } = decodeRow(opened, i)
    return { key: String(key), ...row }
  })
}

/**
 * Two ways in which versions miss each other: this one does not read what was written before, which no version may do since it lies
 * in logs; or it writes what one of before does not read, for which there is the version of the record. More headers are fine.
 */
export function recordBreaks(before: Records, now: Records): string[] {
  return Object.entries(before.forms).flatMap(([form, samples]) => {
    const unread = samples.flatMap((sample, i) => unreadOf(sample, `${form} ${i}`))
    if (now.version > before.version) return unread
    const is = now.forms[form] ?? []
    return [...unread, ...samples.flatMap((was, i) => writtenOtherwise(was, is[i], `${form} ${i}`))]
  })
}

function unreadOf(sample: Sample, at: string): string[] {
  try {
    const same = JSON.stringify(rowsOf(sample)) === JSON.stringify(sample.rows)
    return same ? [] : [`${at}: a record that was written before is read as something else`]
  } catch (error) {
    return [`${at}: a record that was written before is not read (${error instanceof Error ? error.message : error})`]
  }
}

function writtenOtherwise(was: Sample, is: Sample | undefined, at: string): string[] {
  if (!is) return [`${at}: it is written no more`]
  const headers = Object.entries(was.headers).filter(([name, text]) => is.headers[name] !== text)
  return [
    ...headers.map(([name]) => `${at}: the header ${name} is written otherwise`),
    ...(is.value === was.value ? [] : [`${at}: the value is written otherwise`]),
  ]
}
