import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { EngineError } from './errors.ts'
import { literal } from './settings.ts'
import type { Token } from './tokens.ts'

/** True for `INSERT INTO … FORMAT x`, whose rows come in the body. */
export function takesBody(tokens: readonly Token[]): boolean {
  const words = tokens.filter((token) => token.kind === 'word').map((token) => token.text.toLowerCase())
  return words[0] === 'insert' && !words.includes('select') && !words.includes('values') && words.includes('format')
}

let spooled = 0

/**
 * Spools the rows to a file of the run directory: an insert begins only when its body is complete, so that a client that
 * dies half-way never leaves a part of its rows, and memory stays flat. The file lives for milliseconds in the page cache.
 */
export async function spool(body: Readable, directory: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = join(directory, `insert-${++spooled}`)
  const remove = (): Promise<void> => rm(path, { force: true })
  try {
    await pipeline(body, createWriteStream(path, { mode: 0o600, highWaterMark: 1 << 20 }))
  } catch (error) {
    await remove()
    throw error
  }
  return { path, remove }
}

/** The statement with `FROM INFILE` put where the grammar wants it. The path is ours, never the client's. */
export function fromFile(sql: string, tokens: readonly Token[], path: string): string {
  const clause = tokens.find((token) => token.kind === 'word' && /^(settings|format)$/i.test(token.text))
  if (!clause) throw new EngineError(62, 'SYNTAX_ERROR', 'Expected FORMAT in the INSERT statement')
  const end = tokens.at(-1)!
  const statement = sql.slice(0, end.at + end.text.length)
  return `${statement.slice(0, clause.at)}FROM INFILE ${literal(path)} ${statement.slice(clause.at)}`
}
