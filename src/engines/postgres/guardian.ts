import { spawn } from 'node:child_process'
import type { Account } from './account.ts'

/*
 * Ends the server soon after we are gone, also after `kill -9`: a shell waits for the end of a pipe that only we hold
 * open, and then asks the server for a fast shutdown. It runs as the server's account, so that is all it may signal.
 * A convenience: where there is no shell, or it is killed too, the next start ends the orphan.
 */
const SCRIPT = 'read -r _; kill -INT "$1"'

/** Watches over the server `pid` and returns how to dismiss the watch, which is due when that server has ended. */
export function guard(pid: number, account: Account): () => void {
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'splitstream-postgres-guardian', String(pid)], {
    cwd: '/',
    env: {},
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    ...(account.dropped ? { uid: account.uid, gid: account.gid } : {}),
  })
  shell.on('error', () => {}) // No shell: see above.
  shell.stdin?.on('error', () => {})
  shell.unref()
  return () => shell.kill('SIGKILL')
}
