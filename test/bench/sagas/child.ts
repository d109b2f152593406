import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onEnd } from '../cleanup.ts'

/* A process of the bench with which the bench talks in questions and answers. It ends with the bench. */
export interface Child<Question> {
  readonly pid: number
  /** One at a time. @throws Error with what the child said, or when it exits. */
  ask<Answer>(question: Question): Promise<Answer>
  stop(): Promise<void>
}

type Reply = { value: unknown } | { failed: string }

/** Starts `entry`, a program that calls `answerParent`. `env` comes on top of this process's environment. */
export function startChild<Question extends object>(entry: URL, env: NodeJS.ProcessEnv = {}): Child<Question> {
  const child = fork(fileURLToPath(entry), [], {
    execArgv: ['--disable-warning=ExperimentalWarning', '--disable-warning=DeprecationWarning'],
    env: { ...process.env, NODE_ENV: 'production', ...env },
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = onEnd(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return {
    pid: child.pid ?? 0,
    ask: async <Answer>(question: Question) => {
      const { promise, resolve, reject } = Promise.withResolvers<Reply>()
      const onExit = (code: number | null): void => reject(new Error(`${entry.pathname} exited (${code})`))
      child.once('message', resolve).once('exit', onExit)
      child.send(question)
      const reply = await promise.finally(() => child.off('message', resolve).off('exit', onExit))
      if ('failed' in reply) throw new Error(reply.failed)
      return reply.value as Answer // both ends state the type of an answer beside that of its question
    },
    stop,
  }
}

/** The child's end. */
export function answerParent<Question>(answer: (question: Question) => Promise<unknown>): void {
  const say = (reply: Reply): boolean => process.send!(reply)
  process.on('message', (question: Question) => {
    answer(question).then(
      (value) => say({ value }),
      (error: unknown) => say({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
  })
  process.on('disconnect', () => process.exit())
}
