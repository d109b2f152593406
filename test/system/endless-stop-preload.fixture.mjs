/*
 * Loaded into a server before anything else (NODE_OPTIONS=--import): once it is asked to stop, no signal of its reaches a child: the
 * embedded Postgres runs on. Everything else is the real process.
 */
import { ChildProcess } from 'node:child_process'
import { isMainThread } from 'node:worker_threads'

if (isMainThread) {
  process.once('SIGTERM', () => {
    ChildProcess.prototype.kill = () => true
  })
}
