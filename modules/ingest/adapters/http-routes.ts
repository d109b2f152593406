import {
  AppError,
  type Call,
  codeOf,
  type Route,
  type RouteRequest,
  type RouteResponse,
  routesOf,
} from '@splitstream/kernel'
import type { StorageRead } from '@splitstream/storage/contract'
import { isLines } from '../app/append-events.ts'
import type { AppendInput, IngestAppend, Receipt } from '../contract/index.ts'
import { binaryToJson, isBinaryMode } from './binary-mode.ts'
import { ingestOperations } from './operations.ts'

const structured = 'application/cloudevents+json'
const jsonForms = new Set(['application/json', structured, 'application/cloudevents-batch+json'])

/** What may keep an event from being visible in time, though it is durable. */
const notYet = new Set([
  'NOT_YET_STORED',
  'DEADLINE_EXCEEDED',
  'UNAVAILABLE',
  'OVERLOADED',
  'UNKNOWN_OUTCOME',
  'STOPPING',
])

export function ingestRoutes(ingest: IngestAppend, storage: Pick<StorageRead, 'awaitStored'>): Route[] {
  return routesOf(ingestOperations, {
    appendEvents: async (request, call) => {
      const { mode, wait } = request.query
      const receipt = await ingest.append(inputOf(request, mode), call)
      return wait ? afterStored(receipt, storage, call) : answer(202, receipt)
    },
  })
}

function inputOf(
  request: Pick<RouteRequest, 'headers' | 'mediaType' | 'body'>,
  mode: AppendInput['mode'],
): AppendInput {
  if (isLines(request.mediaType) || jsonForms.has(request.mediaType)) {
    if (isBinaryMode(request) && request.mediaType === 'application/json') {
      return { body: binaryToJson(request), mediaType: structured, mode }
    }
    if (request.body.length === 0) throw new AppError('BODY_EMPTY', 'The body is empty')
    return { body: request.body, mediaType: request.mediaType, mode }
  }
  if (isBinaryMode(request)) return { body: binaryToJson(request), mediaType: structured, mode }
  throw new AppError(
    'MEDIA_TYPE_UNSUPPORTED',
    `Send application/x-ndjson, application/json, ${[...jsonForms].slice(1, 3).join(', ')}, or ce- headers for binary mode`,
  )
}

/** The events are durable whatever happens here; the answer only says whether they are visible already. */
async function afterStored(
  receipt: Receipt,
  storage: Pick<StorageRead, 'awaitStored'>,
  call: Call,
): Promise<RouteResponse> {
  const { position } = receipt
  if (position === undefined) return answer(202, receipt)
  try {
    await storage.awaitStored({ position }, call)
    return answer(200, receipt)
  } catch (error) {
    if (!notYet.has(codeOf(error))) throw error
    return { ...answer(202, receipt), headers: { ...json, 'splitstream-degraded': 'not-yet-stored' } }
  }
}

const json = { 'content-type': 'application/json' }
/** Durable in this process until Kafka takes it: nobody can wait for it by its position. */
const spooled = { ...json, 'splitstream-degraded': 'spooled' }

function answer(status: number, receipt: Receipt): RouteResponse {
  const { accepted, rejected, duplicates, repeated, errors } = receipt
  const position = receipt.position === undefined ? 'null' : `"${receipt.position}"`
  // Nearly always there is nothing to list, and numbers and the token need no escaping.
  const listed = errors.length === 0 ? '[]' : JSON.stringify(errors)
  const places = repeated?.join() ?? ''
  const text = `{"accepted":${accepted},"rejected":${rejected},"duplicates":${duplicates},"repeated":[${places}],"position":${position},"errors":${listed}}`
  return { status, headers: receipt.position === undefined ? spooled : json, bytes: Buffer.from(text) }
}
