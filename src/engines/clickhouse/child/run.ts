import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from './answer.ts'
import type { Connection, RunResult } from './engine.ts'
import { EngineError } from './errors.ts'
import { openForReading, openForWriting } from './fifo.ts'
import type { Statement } from './statement.ts'

const killEveryMs = 20
const takeBackWithinMs = 30_000
/** In the format Values, a field could be an SQL expression, which has not passed the gate. */
const dataOnly =
  'SET input_format_values_interpret_expressions = 0, input_format_values_deduce_templates_of_expressions = 0; '

/** Kills the statements that carry a mark; the answer is how many there were. */
export type Kill = (mark: string) => Promise<number>

/** Runs a statement that answers rows; they go to the answer as they come. @throws the engine's error */
export async function runOutput(
  connection: Connection,
  statement: Extract<Statement, { kind: 'output' }>,
  prelude: string,
  pipe: string,
  answer: Answer,
): Promise<RunResult> {
  const reader = openForReading(pipe)
  const result = connection.run(prelude + statement.withPipe(pipe))
  result.then(reader.finish, reader.finish)
  let failure: unknown
  try {
    for await (const chunk of reader.stream) {
      // What we cannot take any more is still read to its end: the engine must not wait for us.
      if (failure !== undefined) continue
      await answer.write(chunk as Uint8Array).catch((error: unknown) => {
        failure = error
      })
    }
  } finally {
    await reader.close()
  }
  const done = await result
  if (failure !== undefined) throw failure
  return done
}

/**
 * Runs an INSERT whose rows stream in. States: waiting for the engine to open the pipe → copying → (the body is complete)
 * closed, the engine commits → done. If the body breaks off, the statement is killed first, and only then the pipe is
 * closed: to the engine a closed pipe is the end of the rows, and what is not killed would be committed as a shorter insert.
 * @throws the engine's error; EngineError INCOMPLETE_BODY
 */
export async function runRows(
  connection: Connection,
  statement: Extract<Statement, { kind: 'rows' }>,
  prelude: string,
  pipe: string,
  rows: AsyncIterable<Uint8Array>,
  kill: () => Promise<number>,
): Promise<RunResult> {
  const writer = openForWriting(pipe)
  let ended = false
  const result = connection.run(prelude + dataOnly + statement.withPipe(pipe)).finally(() => {
    ended = true
    writer.release()
  })
  result.catch(() => undefined) // it is awaited below, on every path
  await writer.opened
  let broken: unknown
  try {
    for await (const chunk of rows) {
      if (ended) break // the engine has failed, and says why
      if (chunk.length > 0) await writer.write(chunk)
    }
  } catch (error) {
    if (!isBrokenPipe(error)) broken = error ?? new Error('the body broke off')
  }
  if (broken !== undefined) await takeBack(kill, () => ended)
  await writer.close()
  if (broken === undefined) return result
  const outcome = await result.catch(() => undefined)
  if (outcome !== undefined && outcome.rowsRead > 0) {
    process.stderr.write(
      `clickhouse: an insert of ${outcome.rowsRead} rows was committed though its body was cut short\n`,
    )
  }
  if (broken instanceof EngineError) throw broken
  throw new EngineError(1000, 'POCO_EXCEPTION', 'The body of the request broke off; nothing of it was stored')
}

/** Until the engine has marked the insert as killed. It blocks in reading our pipe meanwhile, so it cannot commit. */
async function takeBack(kill: () => Promise<number>, ended: () => boolean): Promise<void> {
  const until = performance.now() + takeBackWithinMs
  while (!ended()) {
    if ((await kill().catch(() => 0)) > 0) return
    // Rather no engine for a moment than a part of an insert: what is not committed dies with the process.
    if (performance.now() > until) process.kill(process.pid, 'SIGKILL')
    await sleep(killEveryMs)
  }
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE'
}

/** Kills a running statement, again and again until it has ended: it may not have begun yet. */
export async function killUntil(kill: () => Promise<number>, ended: Promise<unknown>): Promise<void> {
  let over = false
  const end = ended.then(
    () => (over = true),
    () => (over = true),
  )
  while (!over) {
    await kill().catch(() => 0) // the next turn tries again
    await Promise.race([end, sleep(killEveryMs)])
  }
}
