import type { Participant, RetryPolicy } from '../../domain/definition.ts'
import type { Expression, Template } from './expression.ts'
import type { Ref } from './ref.ts'

type Text = string | Expression

/** A request to a participant. */
export interface Request<P extends string> {
  participant: P
  /** POST when not given. */
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  headers?: Readonly<Record<string, Text>>
  body?: Template
}

export interface Compensation<P extends string> extends Request<P> {
  retry?: RetryPolicy
  /** For one attempt, such as `10s`. */
  timeout?: string
  /** Steps whose undo must be done before this one begins; they start later than this one. */
  after?: readonly string[]
}

export interface Response {
  status: number
  headers: unknown
  body: unknown
}

export interface Call<P extends string, O extends Template> extends Request<P> {
  /** What the step gives; the body of the answer when not given. */
  output?: (scope: { readonly response: Ref<Response> }) => O
  retry?: RetryPolicy
  /** For one attempt, such as `10s`. */
  timeout?: string
  /** How to undo it. An undo is also owed when the call had no answer, so `own` may not be there. */
  compensate?: Compensation<P>
  /** Once done there is no way back. */
  pivot?: boolean
}

export interface Emit {
  type: Text
  source?: Text
  subject?: Text
  data?: Template
}

export type Wait = { for: string } | { until: Text }

/** A CloudEvent as a saga sees it. */
export interface Event {
  id: string
  source: string
  type: string
  subject?: string
  time: string
  data: unknown
}

export interface WaitFor<O extends Template> {
  type: string
  /** Field of the event → value that it must equal. */
  match: Readonly<Record<string, string | number | boolean | Expression>>
  timeout: string
  /** `fail` when not given. */
  onTimeout?: 'fail' | 'continue'
  /** What the step gives; the event when not given. */
  output?: (scope: { readonly event: Ref<Event> }) => O
}

export interface Child<O extends Template> {
  saga: string
  input?: Template
  /** What the step gives; the result of the child when not given. */
  output?: (scope: { readonly response: Ref<{ body: unknown }> }) => O
  /** Whether the child is undone when this saga is; true when not given. */
  compensate?: boolean
}

export interface Lock {
  key: Text
  timeout?: string
}

export type ParticipantOptions = Omit<Participant, 'headers'> & { headers?: Readonly<Record<string, Text>> }
