import { obey } from '../../domain/act.ts'
import { type Action, actions } from '../../domain/entry.ts'
import { dryTurn, type SeenSaga } from './seen-saga.ts'

/** What an operator may order for a step (of its undo, once the saga is being undone), as the saga itself would say. */
export function allowedActions(saga: SeenSaga, step: string | undefined): Action[] {
  return actions.filter((action) => {
    // Once it is being undone there is nothing left to cancel.
    if (action === 'cancel' && saga.state.turned) return false
    return obeys(saga, action, step) || (action === 'cancel' && obeys(saga, action, undefined))
  })
}

function obeys(saga: SeenSaga, action: Action, step: string | undefined): boolean {
  const turn = dryTurn(saga)
  obey(turn, { id: '', who: '', action, step, output: null })
  const noted = turn.entries.find(({ e }) => e === 'by')
  return noted?.e === 'by' && noted.no === undefined
}
