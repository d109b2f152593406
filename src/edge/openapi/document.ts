import type { Operation, Operations } from '@splitstream/kernel'
import { description, requestHeaders, responseHeaders, securitySchemes, tags } from './common.ts'
import { describeOperation } from './describe-operation.ts'
import { errorCode, ProblemResponses, problem } from './problems.ts'
import { type Json, Schemas } from './schemas.ts'

/**
 * The OpenAPI 3.1 document of these operations. The same operations give the same document, byte by byte.
 * @throws TypeError for operations that cannot be described together: the same method and path, or a tag that is not known
 */
export function openApiDocument(operations: Operations, version: string): Json {
  const parts = { schemas: new Schemas(), problems: new ProblemResponses() }
  const paths: Record<string, Json> = {}
  for (const [path, group] of byPath(operations)) {
    const item: Record<string, Json> = {}
    for (const [id, operation] of group) {
      const method = operation.method.toLowerCase()
      if (item[method]) throw new TypeError(`${operation.method} ${path} is described twice`)
      if (!(operation.tag in tags)) throw new TypeError(`${id}: the tag ${operation.tag} is not known`)
      item[method] = describeOperation(id, operation, path, parts)
    }
    paths[path] = item
  }
  return {
    openapi: '3.1.1',
    info: { title: 'Splitstream', version, description, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/', description: 'Where this document is from' }],
    tags: Object.entries(tags).map(([name, about]) => ({ name, description: about })),
    paths,
    components: {
      schemas: { ErrorCode: errorCode, Problem: problem, ...parts.schemas.components() },
      responses: parts.problems.components(),
      parameters: requestHeaders,
      headers: responseHeaders,
      securitySchemes,
    },
  }
}

/**
 * Operations by path, in order. Two that differ in nothing but the name of a parameter have one path in OpenAPI: the parameter
 * has both names there.
 */
function byPath(operations: Operations): [string, (readonly [string, Operation])[]][] {
  const groups = Map.groupBy(Object.entries(operations), ([, { path }]) => path.replaceAll(/:\w+/g, ':'))
  return [...groups.values()].map((group) => {
    const parts = group.map(([, { path }]) => path.split('/'))
    const joined = parts[0]!.map((part, i) => {
      if (!part.startsWith(':')) return part
      const names = [...new Set(parts.map((one) => one[i]!.slice(1)))]
      return `{${names.map((name, n) => (n === 0 ? name : name.charAt(0).toUpperCase() + name.slice(1))).join('Or')}}`
    })
    return [joined.join('/'), group]
  })
}
