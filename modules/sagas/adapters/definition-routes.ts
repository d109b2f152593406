import { AppError, type Route } from '@splitstream/kernel'
import type { SagaDeps } from '../app/deps.ts'
import { publishDefinition } from '../app/publish-definition.ts'
import { sagaDefinitionSchema } from '../domain/definition-schema.ts'
import type { PublishedVersion } from './definitions.ts'
import { countInFlight } from './in-flight.ts'
import { parseJson } from './parse-json.ts'
import { limitOf, wholeNumber } from './query-values.ts'

const maxDefinitionBytes = 262_144

/** Definitions over HTTP: publish a version, look at them, retire a name. */
export function definitionRoutes(deps: SagaDeps): Route[] {
  const { definitions, plans, postgres } = deps
  return [
    {
      method: 'PUT',
      path: '/v1/saga-definitions/:name',
      scope: 'sagas',
      summary: 'Publish a definition: a new version, unless the newest says the same. Sagas that run keep theirs',
      accepts: ['application/json'],
      maxBodyBytes: maxDefinitionBytes,
      handle: async ({ params, body }, call) => {
        const name = params.name ?? ''
        const { version, fresh, warnings } = await publishDefinition(deps, name, parseJson(body), call)
        const headers = { location: `/v1/saga-definitions/${name}?version=${version}` }
        return { status: fresh ? 201 : 200, headers, json: { name, version, warnings } }
      },
    },
    {
      method: 'GET',
      path: '/v1/saga-definitions',
      scope: 'sagas',
      summary: 'List the newest version of each definition, by name',
      query: ['limit', 'after'],
      handle: async ({ query }, call) => {
        const limit = limitOf(query.limit)
        const page = await definitions.list(call.tenant, limit, query.after)
        const next = page.length === limit ? page.at(-1)!.name : null
        return { status: 200, json: { definitions: page.map(headOf), next } }
      },
    },
    {
      method: 'GET',
      path: '/v1/saga-definitions/:name',
      scope: 'sagas',
      summary: 'A definition: the newest version, or the given one; and the sagas of each version that go on',
      query: ['version'],
      handle: async ({ params, query }, call) => {
        const { version } = query
        const wanted = version === undefined ? undefined : wholeNumber('version', version, 1, 2 ** 31 - 1)
        const found = await definitions.find(call.tenant, params.name ?? '', wanted)
        if (!found) throw new AppError('NOT_FOUND', 'There is no such definition')
        const inFlight = await countInFlight(postgres, call.tenant, found.name)
        return { status: 200, json: { ...headOf(found), definition: JSON.parse(found.body) as unknown, ...inFlight } }
      },
    },
    {
      method: 'DELETE',
      path: '/v1/saga-definitions/:name',
      scope: 'sagas',
      summary: 'Retire a definition: no new saga is started with it, those that run go on',
      handle: async ({ params }, call) => {
        const name = params.name ?? ''
        if (!(await definitions.retire(call.tenant, name))) {
          throw new AppError('NOT_FOUND', 'There is no such definition, or it is retired already')
        }
        plans.forget(call.tenant, name)
        return { status: 204 }
      },
    },
    {
      method: 'GET',
      path: '/v1/schemas/saga-definition',
      scope: 'public',
      summary: 'The JSON Schema of definitions',
      produces: ['application/schema+json'],
      handle: async () => ({
        status: 200,
        headers: { 'content-type': 'application/schema+json' },
        bytes: Buffer.from(JSON.stringify(sagaDefinitionSchema())),
      }),
    },
  ]
}

function headOf({ name, version, publishedAt, publishedBy, retiredAt }: PublishedVersion): object {
  const iso = (date: Date | null) => date?.toISOString() ?? null
  return { name, version, publishedAt: iso(publishedAt), publishedBy, retiredAt: iso(retiredAt) }
}
