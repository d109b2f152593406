import { dbos } from './dbos.ts'
import type { Engine } from './engine.ts'
import { none } from './none.ts'
import { restate } from './restate.ts'
import { splitstream } from './splitstream.ts'

/** In the order in which they are measured and shown. */
export const engines = { none: none(), dbos, restate, splitstream } satisfies Record<string, Engine>
export type EngineName = keyof typeof engines
export const engineNames = Object.keys(engines) as EngineName[]
