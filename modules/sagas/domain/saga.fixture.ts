import {
  type Participant,
  type Reply,
  type Simulation,
  type SimulationOptions,
  simulate,
} from '../kit/testing/index.ts'
import type { Entry } from './entry.ts'

export const ok: Reply = { status: 200, body: { ok: true } }
export const answer = (status: number, more: object = {}): Reply => ({ status, ...more })

/** A call that can be undone. */
export const call = (id: string, more: object = {}) => ({
  id,
  call: { participant: 'p', path: `/${id}` },
  compensate: { participant: 'p', path: `/${id}/undo` },
  ...more,
})

/** A call that cannot. */
export const final = (id: string, more: object = {}) => ({ id, call: { participant: 'p', path: `/${id}` }, ...more })

export const pivot = (id: string, more: object = {}) => final(id, { pivot: true, ...more })

/** `a`, `a.undo`, and with `?` at the end their lookups → the replies in order, the last of them again and again; else 200. */
export type Script = Readonly<Record<string, readonly Reply[]>>

export function scripted(script: Script): Participant {
  const left = new Map(Object.entries(script).map(([name, replies]) => [name, [...replies]]))
  return ({ step, operation, lookup }) => {
    const replies = left.get(`${step}${operation === 'undo' ? '.undo' : ''}${lookup ? '?' : ''}`) ?? [ok]
    return replies.length > 1 ? replies.shift()! : replies[0]!
  }
}

interface Setting extends Omit<SimulationOptions, 'participants'> {
  /** Members of the participant. */
  readonly participant?: object
  /** Members of the definition. */
  readonly saga?: object
}

/** Starts a saga of these steps whose one participant answers as scripted. */
export function start(steps: readonly object[], script: Script = {}, setting: Setting = {}): Simulation {
  const { participant, saga, ...options } = setting
  const definition = { participants: { p: { url: 'http://p.test/api', ...participant } }, steps, ...saga }
  return simulate(definition, { participants: { p: scripted(script) }, ...options })
}

/** The history in short: `go a 1`, `retry a HTTP_503`, `done a`, `turn HTTP_402`, `undo a 1`, `end compensated`. */
export function told(run: Simulation): string[] {
  return run.history().slice(1).map(short)
}

function short(entry: Entry): string {
  const words = [entry.e, 's' in entry && entry.s, 'n' in entry && !('c' in entry) && entry.n]
  words.push('look' in entry && '?', 'c' in entry && entry.c, entry.e === 'end' && entry.as)
  if (entry.e === 'by') words.push(entry.a, entry.no && 'no')
  return words.filter(Boolean).join(' ')
}

/** `a.do`, `a.undo`, with `?` for lookups, of all requests in order. */
export function asked(run: Simulation): string[] {
  return run.requests.map(({ step, operation, lookup }) => `${step}.${operation}${lookup ? '?' : ''}`)
}

/** When the requests left, ms since the saga's start. */
export const times = (run: Simulation): number[] => run.requests.map(({ t }) => t)

/** Their idempotency keys, without the saga's id. */
export const keys = (run: Simulation): string[] =>
  run.requests.map(({ idempotencyKey: key }) => key.slice(run.id.length + 1))
