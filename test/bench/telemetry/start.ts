import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onEnd } from '../cleanup.ts'

const entry = fileURLToPath(new URL('./collector.ts', import.meta.url))

export interface Collector {
  readonly url: string
  /** Bytes that it was sent so far. */
  taken(): Promise<number>
  end(): Promise<void>
}

export async function startCollector(): Promise<Collector> {
  const child = fork(entry, [], { execArgv: ['--disable-warning=ExperimentalWarning'] })
  const end = onEnd(async () => child.kill('SIGKILL'))
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  const taken = async (): Promise<number> => {
    const answer = once(child, 'message')
    child.send('how much?')
    return ((await answer) as [{ bytes: number }])[0].bytes
  }
  return { url: `http://127.0.0.1:${port}`, taken, end }
}
