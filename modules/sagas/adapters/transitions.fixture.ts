import { systemRandom, uuidv7 } from '@splitstream/kernel'
import type { Start, Transition } from '../app/transition.ts'
import { tenant } from '../app/worker.fixture.ts'

const free = { mailSeen: 0, mailTaken: [], outbox: [], endedAt: null, end: undefined, release: undefined }
const unnamed = { name: 'order', version: 1, key: undefined, alias: undefined, event: false }

/** The first transition of a new saga, and its next. */
export function newSaga(fence: string): { readonly start: Start; readonly move: Transition } {
  const id = uuidv7(systemRandom, Date.now())
  const one = { ...free, tenant, id, fence, status: 'running', problem: null } as const
  return { start: { ...one, ...unnamed, seq: 0, lines: 'start\n' }, move: { ...one, seq: 1, lines: 'move\n' } }
}
