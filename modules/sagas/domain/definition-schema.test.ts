import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { sagaDefinitionSchema } from './definition-schema.ts'
import { goodDefinitions } from './definitions.fixture.ts'

type Schema = Parameters<typeof z.fromJSONSchema>[0]

describe('the published JSON Schema', () => {
  // Read back from JSON, as its users get it: nothing of the schema that it came from is left.
  const schema = z.fromJSONSchema(JSON.parse(JSON.stringify(sagaDefinitionSchema())) as Schema)

  it('says which draft and which version it is', () => {
    expect(sagaDefinitionSchema()).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $id: 'urn:splitstream:saga-definition:1',
      title: 'Saga definition',
    })
  })

  it.each(Object.entries(goodDefinitions))('takes %s', (_, body) => {
    expect(schema.safeParse(body).error).toBeUndefined()
  })

  it.each([
    {},
    { steps: [] },
    { steps: [{ id: 'a' }] },
    { steps: [{ id: 'a-b', wait: { for: '1s' } }] },
    { steps: [{ id: 'a', wait: { for: '1s' }, retry: {} }] },
    { steps: [{ id: 'a', wait: { for: 'soon' } }] },
    { steps: [{ id: 'a', parallel: [[{ id: 'b', wait: {} }]] }] },
    { steps: [{ id: 'a', wait: { for: '1s' } }], more: 1 },
  ])('does not take %j', (body) => {
    expect(schema.safeParse(body).success).toBe(false)
  })
})
