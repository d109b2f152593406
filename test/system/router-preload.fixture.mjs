/*
 * Loaded into a server before anything else (NODE_OPTIONS=--import): at the first request that an express app is given, what its
 * router holds is written to ROUTES_FILE, a line each. Everything else is the real process.
 */
import { appendFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import express from 'express'

if (isMainThread) {
  const { handle } = express.application
  const seen = new WeakSet()
  express.application.handle = function (...request) {
    if (!seen.has(this)) {
      seen.add(this)
      // What is mounted for all paths, as the answer for unknown ones, has a slash for its path.
      const layers = this.router.stack.filter((layer) => layer.route || !layer.slash)
      for (const { route } of layers) {
        appendFileSync(process.env.ROUTES_FILE, `${route?.path ?? 'something that is no route'}\n`)
      }
    }
    return handle.apply(this, request)
  }
}
