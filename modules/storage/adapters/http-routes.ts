import type { IngestAppend } from '@splitstream/ingest/contract'
import { AppError, type Call, checked, type Route, routesOf } from '@splitstream/kernel'
import { replayDeadLetters } from '../app/replay-dead-letters.ts'
import type { DeadLetters, DeadLetterView, LetterReader } from './dead-letters.ts'
import type { LossView, OpenLosses } from './losses.ts'
import { deadLetterOperations, lossOperations, replayBody } from './operations.ts'

/** Dead letters over HTTP: list, look at one, replay (a dry run unless told otherwise), delete. */
export function deadLetterRoutes(letters: DeadLetters, ingest: IngestAppend): Route[] {
  return routesOf(deadLetterOperations, {
    listDeadLetters: async ({ query: { limit, code, before }, operator }, call) => {
      const { letters: page, next } = await letters.list(readerOf(call, operator), {
        limit,
        ...(code !== undefined && { code }),
        ...(before !== undefined && { before }),
      })
      return { status: 200, json: { deadLetters: page.map(show), next } }
    },
    getDeadLetter: async ({ params, operator }, call) => {
      const letter = await letters.get(readerOf(call, operator), params.id)
      if (!letter) throw noSuchLetter()
      return { status: 200, json: show(letter) }
    },
    replayDeadLetters: async ({ body, operator = false }, call) => {
      const { ids, dryRun, event } = checked(replayBody, parseJson(body), '$')
      return { status: 200, json: await replayDeadLetters({ letters, ingest }, { ids, dryRun, event, operator }, call) }
    },
    deleteDeadLetter: async ({ params, operator }, call) => {
      if (!(await letters.remove(readerOf(call, operator), params.id))) throw noSuchLetter()
      return { status: 204 }
    },
  })
}

/** The record of what is lost. When the operator has seen it, the process may be ready again. */
export function lossRoutes(losses: {
  list(limit: number, before?: string): Promise<LossView[]>
  acknowledge(): Promise<OpenLosses>
}): Route[] {
  return routesOf(lossOperations, {
    listLosses: async ({ query: { limit, before } }) => {
      const page = await losses.list(limit, before)
      return { status: 200, json: { losses: page, next: page.length === limit ? page.at(-1)!.id : null } }
    },
    acknowledgeLosses: async () => {
      const { events, ranges } = await losses.acknowledge()
      return { status: 200, json: { acknowledgedEvents: events, acknowledgedRanges: ranges } }
    },
  })
}

const readerOf = ({ tenant }: Call, operator = false): LetterReader => ({ tenant, operator })

const noSuchLetter = (): AppError => new AppError('NOT_FOUND', 'There is no such dead letter')

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8'))
  } catch (error) {
    throw new AppError('BODY_MALFORMED', 'The body is not valid JSON', { cause: error })
  }
}

function show({ event, ...letter }: DeadLetterView): object {
  return { ...letter, ...bodyOf(event) }
}

/** What could not be decoded, or is no JSON, is shown as the bytes that it is. */
function bodyOf(event: Buffer): object {
  try {
    return { event: JSON.parse(event.toString()) as unknown }
  } catch {
    return { recordBase64: event.toString('base64') }
  }
}
