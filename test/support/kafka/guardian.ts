import { spawn } from 'node:child_process'

/*
 * Cleans up when this process is gone, also after `kill -9`: a shell waits for the end of a pipe that only we hold open.
 * It is in a session of its own, so that Ctrl-C at the terminal does not end it first.
 */
export interface Guardian {
  /** A process to kill at the end, and that it ended before. */
  began(pid: number): void
  ended(pid: number): void
  /** Everything is cleaned up. */
  dismiss(): void
}

const KILL_AND_REMOVE = `
pids=
while read -r word pid; do
  left=
  for p in $pids; do [ "$p" = "$pid" ] || left="$left $p"; done
  pids=$left
  [ "$word" = began ] && pids="$pids $pid"
done
[ -n "$pids" ] && kill -KILL $pids
rm -rf "$1" 2>/dev/null || { sleep 2; rm -rf "$1"; }`

/** Kills the processes it is told of and removes `folder`. */
export function guardFolder(folder: string): Guardian {
  return guard(KILL_AND_REMOVE, [folder])
}

/** Removes these containers and their network. */
export function guardContainers(network: string, containers: readonly string[]): Guardian {
  return guard('read -r _; docker rm -f -v "$@"; docker network rm "$0"', containers, network)
}

function guard(script: string, args: readonly string[], name = 'splitstream-kafka-guardian'): Guardian {
  const shell = spawn('/bin/sh', ['-c', script, name, ...args], {
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  shell.on('error', () => {}) // no shell: stop() cleans up all the same
  shell.stdin.on('error', () => {})
  shell.unref()
  const tell = (word: string, pid: number): void => void shell.stdin.write(`${word} ${pid}\n`)
  return {
    began: (pid) => tell('began', pid),
    ended: (pid) => tell('ended', pid),
    dismiss: () => void shell.kill('SIGKILL'),
  }
}
