import { allowedActions } from './allowed-actions.ts'
import { instant, type SeenSaga } from './seen-saga.ts'
import type { Waiting } from './waiting.ts'

/** What goes on only when an operator says how: each undo that is stuck, and what has halted the saga. */
export function operatorWaits(saga: SeenSaga): Waiting[] {
  const { halted, steps } = saga.state
  const stuck = [...steps].flatMap(([id, { undo }]) => {
    if (undo?.status !== 'stuck') return []
    const { code, detail } = undo.problem ?? { code: 'STUCK', detail: '' }
    return [waitFor(saga, id, saga.spans.get(id)?.undo?.last ?? 0, `${code}: ${detail}`)]
  })
  if (!halted || stuck.some(({ step }) => step === halted.step)) return stuck
  const at = saga.entries.findLast(({ e }) => e === 'halt')?.t ?? 0
  return [...stuck, waitFor(saga, halted.step, at, `${halted.code}: ${halted.detail}`)]
}

function waitFor(saga: SeenSaga, step: string | undefined, t: number, detail: string): Waiting {
  return {
    for: 'operator',
    step: step ?? null,
    undo: saga.state.turned !== undefined,
    since: instant(saga, t),
    until: null,
    detail,
    actions: allowedActions(saga, step),
  }
}
