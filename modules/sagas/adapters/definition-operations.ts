import { jsonContent, type Operations } from '@splitstream/kernel'
import { z } from 'zod'
import type { Published } from '../app/publish-definition.ts'
import { sagaDefinition } from '../domain/definition.ts'
import { sagaStatuses } from '../domain/state.ts'
import { nextPage, pageSize, wholeNumber } from './parameters.ts'

const instant = z.string().meta({ format: 'date-time' })
const version = z.int().min(1)
const byName = z.strictObject({ name: z.string().describe('The name of a definition') })

const head = {
  name: z.string(),
  version,
  publishedAt: instant,
  publishedBy: z.string().describe('The id of an API key'),
  retiredAt: instant.nullable(),
}
const published = z
  .object({
    name: z.string(),
    version,
    warnings: z.array(z.object({ path: z.string(), detail: z.string() })).describe('What would fail as things are now'),
  })
  .meta({ id: 'PublishedDefinition' }) satisfies z.ZodType<Omit<Published, 'fresh'>>

const definition = sagaDefinition.meta({
  id: 'SagaDefinition',
  description: 'The shape; publishing checks more. Strings may hold expressions: docs/saga-definitions.md',
})

const order = {
  participants: { payment: { url: 'https://payment.example' }, shipping: { url: 'https://shipping.example' } },
  steps: [
    {
      id: 'charge',
      call: { participant: 'payment', path: '/charges', body: { order: '${input.order}', total: '${input.total}' } },
      compensate: { participant: 'payment', path: '/refunds', body: { order: '${input.order}' } },
    },
    { id: 'ship', call: { participant: 'shipping', path: '/parcels', body: { order: '${input.order}' } } },
  ],
}

const location = { Location: z.string().describe('The path of this version') }

export const definitionOperations = {
  publishSagaDefinition: {
    tag: 'Saga definitions',
    method: 'PUT',
    path: '/v1/saga-definitions/:name',
    scope: 'sagas',
    summary: 'Publish a definition: a new version, unless the newest says the same. Sagas that run keep theirs',
    params: byName,
    body: jsonContent(definition, { order }),
    maxBodyBytes: 262_144,
    answers: {
      200: { description: 'The newest version says the same', content: jsonContent(published), headers: location },
      201: { description: 'A new version', content: jsonContent(published), headers: location },
    },
    problems: ['UNPROCESSABLE', 'BODY_TOO_DEEP'],
  },
  listSagaDefinitions: {
    tag: 'Saga definitions',
    method: 'GET',
    path: '/v1/saga-definitions',
    scope: 'sagas',
    summary: 'List the newest version of each definition, by name',
    query: z.strictObject({
      limit: pageSize(),
      after: z.string().optional().describe('`next` of the page before'),
    }),
    answers: {
      200: {
        description: 'A page',
        content: jsonContent(z.object({ definitions: z.array(z.object(head)), next: nextPage('after') })),
      },
    },
  },
  getSagaDefinition: {
    tag: 'Saga definitions',
    method: 'GET',
    path: '/v1/saga-definitions/:name',
    scope: 'sagas',
    summary: 'A definition: the newest version, or the given one; and the sagas of each version that go on',
    params: byName,
    query: z.strictObject({ version: wholeNumber(1, 2 ** 31 - 1).describe('The newest if absent') }),
    answers: {
      200: {
        description: 'The definition',
        content: jsonContent(
          z.object({
            ...head,
            definition,
            instances: z
              .record(z.string(), z.partialRecord(z.enum(sagaStatuses), z.int()))
              .describe('Sagas that have not ended, by version and status'),
            instancesComplete: z.boolean().describe('false: there are more'),
          }),
        ),
      },
    },
    problems: ['NOT_FOUND'],
  },
  retireSagaDefinition: {
    tag: 'Saga definitions',
    method: 'DELETE',
    path: '/v1/saga-definitions/:name',
    scope: 'sagas',
    summary: 'Retire a definition: no new saga is started with it, those that run go on',
    params: byName,
    answers: { 204: { description: 'It is retired' } },
    problems: ['NOT_FOUND'],
  },
  getSagaDefinitionSchema: {
    tag: 'Saga definitions',
    method: 'GET',
    path: '/v1/schemas/saga-definition',
    scope: 'public',
    summary: 'The JSON Schema of definitions',
    answers: {
      200: {
        description: 'A JSON Schema (draft 2020-12)',
        content: { 'application/schema+json': { schema: z.looseObject({}) } },
      },
    },
  },
} satisfies Operations
