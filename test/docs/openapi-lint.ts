import { createConfig, lintFromString } from '@redocly/openapi-core'

/** Rules of the linter: what is legal in OpenAPI 3.1, what clients need, and that examples are what their schemas say. */
const config = await createConfig({
  extends: ['recommended-strict'],
  rules: {
    // Members that no schema knows are found too, however deep they are.
    'no-invalid-media-type-examples': { severity: 'error', allowAdditionalProperties: false },
    'no-invalid-schema-examples': 'error',
  },
})

/** What is wrong with the document, a line each: where, and what. */
export async function lintOpenApi(document: object): Promise<string[]> {
  const found = await lintFromString({ source: JSON.stringify(document), absoluteRef: '/openapi.json', config })
  return found.map(({ ruleId, message, location }) => `${location[0]?.pointer ?? ''} ${ruleId}: ${message}`)
}
