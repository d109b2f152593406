import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  AppError,
  type Call,
  type Clock,
  catalogue,
  codeOf,
  type Logger,
  stackOf,
  traceIdOf,
} from '@splitstream/kernel'
import { type InFlight, type Reading, readBody } from '../../edge/body.ts'
import { readCall } from '../call-headers.ts'
import { decode } from '../wire.ts'
import type { ServerLimits } from './limits.ts'
import type { ServedMethod } from './port-table.ts'
import { sendAnswer, sendError } from './respond.ts'
import type { RunningCalls } from './running.ts'
import { endIterator, sendStream } from './send-stream.ts'
import { ServedCall } from './served-call.ts'
import type { ServedCalls } from './served-metrics.ts'

export interface ServeDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly served: ServedCalls
  readonly limits: ServerLimits
  readonly inFlight: InFlight
  readonly running: RunningCalls
}

/** Serves one call of a method that was found: reads its input, runs it, answers. Never throws. */
export async function serveCall(
  deps: ServeDeps,
  method: ServedMethod,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { clock, limits, inFlight, running } = deps
  let reading: Reading | undefined
  let call: ServedCall | undefined
  let result: Promise<unknown> | undefined
  let ran = false
  let failed = ''
  const from = clock.monotonic()
  try {
    if (running.size >= limits.maxCalls) {
      throw new AppError('OVERLOADED', 'Too many calls run at once', { retryAfterMs: 1_000 })
    }
    const now = clock.monotonic()
    call = new ServedCall(readCall(request.headers, method.version, now), request, response, now)
    running.add(call)
    const maxBytes = limits.maxBodyBytes
    reading = readBody(request, response, { maxBytes, maxCompressedBytes: maxBytes }, inFlight)
    const body = await call.reading(reading, limits.bodyTimeoutMs)
    const input = decode(request.headers['content-type'] ?? '', body) as never
    if (clock.monotonic() >= call.deadline) throw new AppError('DEADLINE_EXCEEDED', 'The time budget is spent')
    ran = true
    result = method.run(input, call)
    const value = await call.running(result)
    call.answering()
    call.streaming = method.description.streams === true
    if (!method.description.streams) sendAnswer(response, value, limits.stallMs)
    else await sendStream(response, value as Items, limits.stallMs, (error) => report(deps.logger, method, error, call))
  } catch (error) {
    report(deps.logger, method, error, call)
    failed = codeOf(error)
    if (method.description.streams && result) result.then(abandon, () => {})
    sendError(request, response, call ? call.errorFor(error) : error, ran ? 'error' : 'refused')
  } finally {
    call?.answering()
    deps.served(method, failed, clock.monotonic() - from)
    const release = (): void => {
      if (call) running.remove(call)
      if (reading) inFlight.give(reading.reserved)
    }
    // Nobody may be waiting any more, but as long as the implementation works it takes its place.
    if (result) result.then(release, release)
    else release()
  }
}

type Items = AsyncIterable<unknown>

/** Nobody is going to read the stream. Never throws. */
async function abandon(items: unknown): Promise<void> {
  try {
    await endIterator((items as Items)[Symbol.asyncIterator]())
  } catch {
    // It was no stream.
  }
}

/** Failures of ours go to the log with their stack, which does not travel; the caller accounts for the others. */
function report(logger: Logger, { port, name }: ServedMethod, error: unknown, call: Call | undefined): void {
  const code = codeOf(error)
  if (catalogue[code].status !== 500) return
  const about = { port, method: name, tenant: call?.tenant, traceId: traceIdOf(call?.traceparent) }
  logger.error('a call of a port failed', { ...about, code, error: stackOf(error) })
}
