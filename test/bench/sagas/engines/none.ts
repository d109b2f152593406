import { startChild } from '../child.ts'
import type { Planted, Question } from '../peers/messages.ts'
import type { Engine } from './engine.ts'

/** No engine, or with a planted bug: no engine that is wrong. */
export const none = (planted?: Planted): Engine => ({
  label: 'no engine',
  start: async (participant) => {
    const child = startChild<Question>(new URL('../peers/none.ts', import.meta.url))
    const url = await child.ask<string>({ participant, ...(planted && { planted }) })
    return { target: { url, path: '/', headers: {} }, pids: [child.pid], stop: child.stop }
  },
})
