export type Plans = 'each time' | 'by key'

/** The other side is asked whether it is there when a connection was silent for so long, ms. By itself the system waits for two hours. */
export const alive = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 } as const

/** A client that takes nothing of an answer for so long is gone, ms: while Postgres writes to one, none of its other limits counts. */
const unreadMs = 5_000

// Postgres on macOS cannot, and would say so in its log for each connection.
const always = process.platform === 'darwin' ? [] : [`tcp_user_timeout=${unreadMs}`]

// Without statistics, as of a table that has just begun to fill, the planner would rather read all of it, and keep to that.
const byKey = [
  'plan_cache_mode=force_generic_plan',
  'enable_seqscan=off',
  'enable_hashjoin=off',
  'enable_mergejoin=off',
]

/** Settings of a session, as its first message has them. */
export function settingsOf(plans: Plans): string {
  return [...always, ...(plans === 'by key' ? byKey : [])].map((setting) => `-c ${setting}`).join(' ')
}
