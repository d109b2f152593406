import type { FollowedEvent } from '@splitstream/storage/contract'

/* The text of server-sent events (WHATWG HTML, 9.2). What a client was sent last as `id` it sends as Last-Event-ID. */

/** How long a client waits before it comes back, ms. */
export const retry = (ms: number): string => `retry: ${Math.round(ms)}\n\n`

/** Where the stream stands, without an event: a client that gets nothing else still resumes from here. */
export const standing = (position: string): string => `id: ${position}\n\n`

/** JSON has no line breaks of its own, so an event is one line of data. */
export const message = ({ event, position }: FollowedEvent): string =>
  `id: ${position}\ndata: ${JSON.stringify(event)}\n\n`

/** Says nothing, so that whoever is in between does not take the connection for a dead one. */
export const heartbeat = ': \n\n'

/** Why the stream ends before its time, for whoever looks for events of this name. */
export const problem = (code: string, detail: string): string =>
  `event: problem\ndata: ${JSON.stringify({ code, detail })}\n\n`
