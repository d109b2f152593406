import type { ChildProcess } from 'node:child_process'

/** What every load generator may say in place of what was asked of it. */
interface Failed {
  readonly kind: 'failed'
  readonly message: string
}

/** What a load generator says next. @throws Error with what went wrong in it, or that it has ended */
export async function nextMessage<M extends { readonly kind: string } | Failed>(
  child: ChildProcess,
): Promise<Exclude<M, Failed>> {
  const { promise, resolve, reject } = Promise.withResolvers<M>()
  const onExit = (code: number | null): void => reject(new Error(`the load generator exited (${code})`))
  child.once('message', resolve).once('exit', onExit)
  const message = await promise.finally(() => child.off('message', resolve).off('exit', onExit))
  if (message.kind === 'failed') throw new Error(`the load failed: ${(message as Failed).message}`)
  return message as Exclude<M, Failed>
}
