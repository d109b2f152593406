import { setTimeout as delay } from 'node:timers/promises'
import type { NextFunction, Request, Response } from 'express'
import type { Service } from './ledger.ts'

/** A call that came to a stub, before anything was done. */
export interface StubCall {
  readonly service: Service
  readonly operation: 'do' | 'undo'
  readonly saga: string
  readonly body: unknown
}

/** How a stub treats a call badly. */
export interface Misbehaviour {
  /** Waits before anything else, ms. */
  readonly delayMs?: number
  /** `before`: 500, and nothing happens. `after`: it happens, and the connection is cut instead of an answer. `hang`: neither. */
  readonly fail?: 'before' | 'after' | 'hang'
}

/** Comes before the participant's own handler, with the body parsed. */
export function misbehaving(service: Service, misbehaves: (call: StubCall) => Misbehaviour | undefined) {
  return async (request: Request, response: Response, next: NextFunction): Promise<void> => {
    const operation = request.get('splitstream-operation') === 'undo' ? 'undo' : 'do'
    const saga = request.get('splitstream-saga') ?? ''
    const how = misbehaves({ service, operation, saga, body: request.body as unknown })
    if (how?.delayMs !== undefined) await delay(how.delayMs, undefined, { ref: false })
    if (how?.fail === 'hang') return
    if (how?.fail === 'before') {
      response.status(500).json({ status: 500, code: 'STUB', detail: 'This stub fails when it is told to' })
      return
    }
    if (how?.fail === 'after') {
      response.end = () => {
        request.socket.destroy()
        return response
      }
    }
    next()
  }
}
