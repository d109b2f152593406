/*
 * Loaded into a server before anything else (NODE_OPTIONS=--import): at SIGUSR2 it does what the file in WEDGE_FILE says, moves
 * the wall clock by `jumpMs` or keeps the event loop busy for `blockMs`. Everything else is the real process.
 */
import { readFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

if (isMainThread) {
  const now = Date.now
  let movedBy = 0
  Date.now = () => now() + movedBy
  process.on('SIGUSR2', () => {
    const { jumpMs = 0, blockMs = 0 } = JSON.parse(readFileSync(process.env.WEDGE_FILE, 'utf8'))
    movedBy += jumpMs
    for (const until = performance.now() + blockMs; performance.now() < until; );
  })
}
