import { z } from 'zod'
import { sagaDefinition } from './definition.ts'

let made: object | undefined

/**
 * The JSON Schema (draft 2020-12) of a saga definition, for editors and for checks of one's own. It says what shape a
 * definition has; publishing checks more (names, expressions, pivots, order of undo).
 */
export function sagaDefinitionSchema(): object {
  made ??= Object.freeze({
    $id: 'urn:splitstream:saga-definition:1',
    title: 'Saga definition',
    ...z.toJSONSchema(sagaDefinition, { target: 'draft-2020-12', io: 'input' }),
  })
  return made
}
