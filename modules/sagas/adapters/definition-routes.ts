import { AppError, type Route } from '@splitstream/kernel'
import type { SagaDeps } from '../app/deps.ts'
import { parseDefinition } from '../domain/check-definition.ts'
import { sagaDefinitionSchema } from '../domain/definition-schema.ts'
import type { PublishedVersion } from './definitions.ts'
import { parseJson } from './parse-json.ts'

const maxDefinitionBytes = 262_144

/** Definitions over HTTP: publish a version, look at them, retire a name. */
export function definitionRoutes({ definitions, plans }: SagaDeps): Route[] {
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
        const definition = parseDefinition(name, parseJson(body))
        const { version, fresh } = await definitions.publish(call.tenant, name, definition, call.principal)
        plans.forget(call.tenant, name)
        const headers = { location: `/v1/saga-definitions/${name}?version=${version}` }
        return { status: fresh ? 201 : 200, headers, json: { name, version } }
      },
    },
    {
      method: 'GET',
      path: '/v1/saga-definitions',
      scope: 'sagas',
      summary: 'List the newest version of each definition, by name',
      query: ['limit', 'after'],
      handle: async ({ query }, call) => {
        const limit = Number(query.limit ?? 100)
        if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) {
          throw new AppError('REQUEST_INVALID', 'limit is a whole number from 1 to 1000')
        }
        const page = await definitions.list(call.tenant, limit, query.after)
        const next = page.length === limit ? page.at(-1)!.name : null
        return { status: 200, json: { definitions: page.map(headOf), next } }
      },
    },
    {
      method: 'GET',
      path: '/v1/saga-definitions/:name',
      scope: 'sagas',
      summary: 'A definition: the newest version, or the given one',
      query: ['version'],
      handle: async ({ params, query }, call) => {
        const version = query.version === undefined ? undefined : Number(query.version)
        if (version !== undefined && !(Number.isInteger(version) && version > 0 && version < 2 ** 31)) {
          throw new AppError('REQUEST_INVALID', 'version is a whole number, from 1')
        }
        const found = await definitions.find(call.tenant, params.name ?? '', version)
        if (!found) throw new AppError('NOT_FOUND', 'There is no such definition')
        return { status: 200, json: { ...headOf(found), definition: JSON.parse(found.body) as unknown } }
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
