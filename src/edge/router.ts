import type { IncomingMessage, ServerResponse } from 'node:http'
import { AppError, type Route } from '@splitstream/kernel'
import express from 'express'
import type { Exchange } from './exchange.ts'
import type { Matched, Serve } from './serve.ts'

/** Finds the route of a request and serves it. */
export type Dispatch = (exchange: Exchange, query: string) => void

interface Tagged {
  exchange: Exchange
  target: string
}

/**
 * All routes on an express app, which does nothing but match paths: everything else is in `serve`, the same for both
 * lanes. A known path with another method is 405 with Allow, an unknown path 404.
 */
export function createRouter(routes: readonly Route[], serve: Serve): Dispatch {
  const app = express()
  app.disable('x-powered-by').disable('etag').enable('strict routing').enable('case sensitive routing')
  app.set('query parser', false)
  // A literal path wins over one with a parameter in its place, whoever was mounted first. Routes may name it differently.
  const byPath = [...Map.groupBy(routes, ({ path }) => unnamed(path))].sort(([a], [b]) => parameters(a) - parameters(b))
  for (const [path, group] of byPath) {
    const methods = group.map((route) => route.method)
    const allow = (methods.includes('GET') ? [...methods, 'HEAD'] : methods).join(', ')
    app.all(path, (request, response) => {
      const method = request.method === 'HEAD' ? 'GET' : request.method
      const { exchange, target } = taggedOf(response)
      const match = (): Matched => {
        const route = group.find((one) => one.method === method)
        if (!route) throw new AppError('METHOD_NOT_ALLOWED', `Allowed here: ${allow}`, { details: { allow } })
        return { route, params: paramsOf(route.path, request.params), query: target }
      }
      void serve(exchange, match)
    })
  }
  app.use((_request: express.Request, response: express.Response) => {
    void serve(taggedOf(response).exchange, failing(new AppError('NOT_FOUND', 'There is nothing at this path')))
  })
  // Four parameters: that is how express knows an error handler.
  app.use((error: unknown, _q: express.Request, response: express.Response, _next: express.NextFunction) => {
    void serve(taggedOf(response).exchange, failing(error))
  })
  const handler: (request: IncomingMessage, response: ServerResponse) => void = app
  return (exchange, target) => {
    tags.set(exchange.response, { exchange, target })
    handler(exchange.request, exchange.response)
  }
}

const parameters = (path: string): number => path.split('/:').length

/** The path with its parameters numbered. */
function unnamed(path: string): string {
  let n = 0
  return path.replaceAll(/:\w+/g, () => `:p${n++}`)
}

const tags = new WeakMap<object, Tagged>()

function taggedOf(response: express.Response): Tagged {
  const found = tags.get(response)
  if (!found) throw new AppError('INTERNAL', 'A response came to the router from elsewhere')
  return found
}

/** By the names of the route. A parameter with several values exists only for wildcards, which no route uses. */
function paramsOf(path: string, params: express.Request['params']): Record<string, string> {
  const values: Record<string, string> = {}
  for (const [n, [, name = '']] of [...path.matchAll(/:(\w+)/g)].entries()) {
    const value = params[`p${n}`] ?? ''
    values[name] = Array.isArray(value) ? value.join('/') : value
  }
  return values
}

/** A match that says why there is none. */
export function failing(error: unknown): () => never {
  return () => {
    throw error
  }
}
