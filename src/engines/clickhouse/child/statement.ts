import { EngineError } from './errors.ts'
import { type Token, tokenize } from './tokens.ts'

/**
 * What a statement is, as far as carrying it out differs:
 * output: answers rows (SELECT, SHOW, …). rows: an INSERT whose rows come as data in a format. command: all others,
 * such as DDL, INSERT … SELECT and INSERT … VALUES (…).
 */
export type Statement =
  | { readonly kind: 'output'; readonly sql: string; readonly format: string; withPipe(path: string): string }
  | { readonly kind: 'rows'; readonly sql: string; readonly format: string; withPipe(path: string): string }
  | { readonly kind: 'command'; readonly sql: string }

const isWord = (token: Token | undefined, text: string): boolean =>
  token?.kind === 'word' && token.text.toLowerCase() === text

/** @param tokens of the statement, without trailing semicolons */
export function classify(sql: string, tokens: readonly Token[], defaultFormat: string): Statement {
  const first = tokens.find((token) => token.text !== '(')?.text.toLowerCase() ?? ''
  const insertAt = tokens.findIndex((token) => token.depth === 0 && isWord(token, 'insert'))
  if (first === 'insert' || (first === 'with' && insertAt > 0)) return classifyInsert(sql, tokens, insertAt)
  if (/^(select|with|from|show|describe|desc|explain|exists|check)$/.test(first)) {
    return withOutput(sql, tokens, defaultFormat)
  }
  return { kind: 'command', sql }
}

/** `… INTO OUTFILE '<pipe>' APPEND FORMAT x [SETTINGS …]`. The path is ours, never the client's. */
function withOutput(sql: string, tokens: readonly Token[], defaultFormat: string): Statement {
  const end = tokens.at(-1)!.end
  const at = tokens.findLastIndex((token, i) => {
    if (token.depth !== 0 || !isWord(token, 'format') || tokens[i + 1]?.kind !== 'word') return false
    return tokens[i + 2] === undefined || isWord(tokens[i + 2], 'settings')
  })
  const format = at > 0 ? tokens[at + 1]!.text : defaultFormat
  const head = sql.slice(0, at > 0 ? tokens[at]!.at : end)
  const tail = at > 0 ? sql.slice(tokens[at]!.at, end) : `FORMAT ${format}`
  return {
    kind: 'output',
    sql: `${head} ${tail}`,
    format,
    withPipe: (path) => `${head}\nINTO OUTFILE '${path}' APPEND ${tail}`,
  }
}

/** `INSERT INTO t (…) FROM INFILE '<pipe>' [SETTINGS …] FORMAT x`. */
function classifyInsert(sql: string, tokens: readonly Token[], insertAt: number): Statement {
  const end = tokens.at(-1)!.end
  const clauses = tokens.filter((token, i) => i > insertAt + 2 && token.depth === 0 && token.kind === 'word')
  const clause = clauses.find((token) => /^(select|with|watch|values|format)$/i.test(token.text))
  const settings = clauses.find((token) => isWord(token, 'settings') && token.at < (clause?.at ?? 0))
  const isValues = isWord(clause, 'values')
  // VALUES with the rows in the text is a command: its expressions are SQL and pass the gate as such.
  if (!clause || (isValues && clause.end !== end) || /^(select|with|watch)$/i.test(clause.text)) {
    return { kind: 'command', sql }
  }
  const name = tokens[tokens.indexOf(clause) + 1]
  if (!isValues && (name?.kind !== 'word' || name.end !== end)) {
    throw new EngineError(62, 'SYNTAX_ERROR', 'Syntax error: expected the name of a format at the end of the INSERT')
  }
  const at = settings?.at ?? clause.at
  const format = isValues ? 'Values' : name!.text
  return {
    kind: 'rows',
    sql,
    format,
    withPipe: (path) =>
      `${sql.slice(0, at)} FROM INFILE '${path}' COMPRESSION 'none' ${sql.slice(at, clause.at)} FORMAT ${format}`,
  }
}

/**
 * Where the rows begin in a text that holds both an `INSERT … FORMAT x` and its rows; undefined when it is none, or when
 * too little of it is known yet.
 */
export function endOfInsertHead(text: string): { head: string; rowsAt: number } | undefined {
  let previous: Token | undefined
  let found: Token | undefined
  let isInsert: boolean | undefined
  try {
    tokenize(text, (token) => {
      isInsert ??= isWord(token, 'insert')
      if (isInsert && token.depth === 0 && isWord(previous, 'format') && token.kind === 'word') found = token
      const ended = token.depth === 0 && /^(select|values|with)$/i.test(token.text) && token.kind === 'word'
      previous = token
      return !isInsert || found !== undefined || ended
    })
  } catch {
    return undefined // the rest of the statement is still to come, or the gate says what is wrong with it
  }
  if (!found || found.end === text.length) return undefined
  const gap = /^[ \t\f]*;?[ \t\f]*\r?\n?/.exec(text.slice(found.end))
  return { head: text.slice(0, found.end), rowsAt: found.end + (gap?.[0].length ?? 0) }
}
