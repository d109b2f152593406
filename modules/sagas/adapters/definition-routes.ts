import { AppError, type Route, routesOf } from '@splitstream/kernel'
import type { SagaDeps } from '../app/deps.ts'
import { publishDefinition } from '../app/publish-definition.ts'
import { sagaDefinitionSchema } from '../domain/definition-schema.ts'
import { definitionOperations } from './definition-operations.ts'
import type { PublishedVersion } from './definitions.ts'
import { countInFlight } from './in-flight.ts'
import { parseJson } from './parse-json.ts'

/** Definitions over HTTP: publish a version, look at them, retire a name. */
export function definitionRoutes(deps: SagaDeps): Route[] {
  const { definitions, plans, postgres } = deps
  return routesOf(definitionOperations, {
    publishSagaDefinition: async ({ params: { name }, body }, call) => {
      const { version, fresh, warnings } = await publishDefinition(deps, name, parseJson(body), call)
      const headers = { location: `/v1/saga-definitions/${name}?version=${version}` }
      return { status: fresh ? 201 : 200, headers, json: { name, version, warnings } }
    },
    listSagaDefinitions: async ({ query: { limit, after } }, call) => {
      const page = await definitions.list(call.tenant, limit, after)
      const next = page.length === limit ? page.at(-1)!.name : null
      return { status: 200, json: { definitions: page.map(headOf), next } }
    },
    getSagaDefinition: async ({ params, query }, call) => {
      const found = await definitions.find(call.tenant, params.name, query.version)
      if (!found) throw new AppError('NOT_FOUND', 'There is no such definition')
      const inFlight = await countInFlight(postgres, call.tenant, found.name)
      return { status: 200, json: { ...headOf(found), definition: JSON.parse(found.body) as unknown, ...inFlight } }
    },
    retireSagaDefinition: async ({ params: { name } }, call) => {
      if (!(await definitions.retire(call.tenant, name))) {
        throw new AppError('NOT_FOUND', 'There is no such definition, or it is retired already')
      }
      plans.forget(call.tenant, name)
      return { status: 204 }
    },
    getSagaDefinitionSchema: async () => ({
      status: 200,
      headers: { 'content-type': 'application/schema+json' },
      bytes: Buffer.from(JSON.stringify(sagaDefinitionSchema())),
    }),
  })
}

function headOf({ name, version, publishedAt, publishedBy, retiredAt }: PublishedVersion): object {
  const iso = (date: Date | null) => date?.toISOString() ?? null
  return { name, version, publishedAt: iso(publishedAt), publishedBy, retiredAt: iso(retiredAt) }
}
