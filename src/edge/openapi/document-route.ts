import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type Operations, type Route, routesOf } from '@splitstream/kernel'
import { z } from 'zod'

/** Made of the operations by `npm run openapi`; a test holds it against them. */
export const documentPath = new URL('../../../docs/openapi.json', import.meta.url)

export const documentOperations = {
  getOpenApi: {
    tag: 'Installation',
    method: 'GET',
    path: '/openapi.json',
    scope: 'public',
    summary: 'This document',
    description: 'The same at every process of an installation.',
    headers: { 'If-None-Match': z.string().optional().describe('ETags of what is at hand') },
    answers: {
      200: {
        description: 'OpenAPI 3.1',
        content: { 'application/json': { schema: z.looseObject({ openapi: z.string() }) } },
        headers: { ETag: z.string(), 'Cache-Control': z.string() },
      },
      304: { description: 'What is at hand is current', headers: { ETag: z.string() } },
    },
  },
} satisfies Operations

/**
 * The whole document, whatever this process runs: behind a gateway there is one answer, whoever gives it. It is read from the
 * file, as making it would load the code of modules that do not run here.
 */
export function documentRoutes(): Route[] {
  let kept: { readonly bytes: Uint8Array; readonly etag: string } | undefined
  const read = async () => {
    const bytes = await readFile(documentPath)
    // Weak: the same document is sent as it is, or compressed.
    const etag = `W/"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
    kept = { bytes, etag }
    return kept
  }
  return routesOf(documentOperations, {
    getOpenApi: async ({ headers }) => {
      const { bytes, etag } = kept ?? (await read())
      const common = { etag, 'cache-control': 'public, max-age=300' }
      if (isAtHand(headers['if-none-match'], etag))
        return { status: 304, headers: { ...common, vary: 'Accept-Encoding' } }
      return { status: 200, headers: { ...common, 'content-type': 'application/json' }, bytes }
    },
  })
}

/** RFC 9110, 13.1.2, by weak comparison. */
function isAtHand(ifNoneMatch: string | string[] | undefined, etag: string): boolean {
  if (typeof ifNoneMatch !== 'string') return false
  const opaque = (tag: string): string => tag.trim().replace(/^W\//, '')
  return ifNoneMatch.split(',').some((tag) => tag.trim() === '*' || opaque(tag) === opaque(etag))
}
