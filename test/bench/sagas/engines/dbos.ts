import { startChild } from '../child.ts'
import type { Question } from '../peers/messages.ts'
import type { Engine } from './engine.ts'
import { startBenchPostgres } from './postgres.ts'

export const dbos: Engine = {
  label: 'DBOS',
  start: async (participant) => {
    const postgres = await startBenchPostgres()
    const child = startChild<Question>(new URL('../peers/dbos.ts', import.meta.url))
    const url = await child.ask<string>({ participant, postgres: postgres.url })
    return {
      target: { url, path: '/', headers: {} },
      pids: [child.pid],
      postgres,
      stop: async () => {
        await child.stop()
        await postgres.stop()
      },
    }
  },
}
