import { readFileSync } from 'node:fs'
import type { SagaDefinition } from '../../domain/definition.ts'
import type { StubParticipants } from './stub-participants.ts'

/** The definition in order.json, with its participants where they are. */
export function orderSaga({ url }: Pick<StubParticipants, 'url'>): SagaDefinition {
  const text = readFileSync(new URL('order.json', import.meta.url), 'utf8')
  return JSON.parse(text.replaceAll('http://127.0.0.1:8090', url)) as SagaDefinition
}
