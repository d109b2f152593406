import { EngineError } from './errors.ts'

/** One token of ClickHouse SQL. `quoted`: an identifier in backticks or double quotes, unquoted in `text`. */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'symbol'
  readonly text: string
  /** Where it starts in the statement, and where it ends. */
  readonly at: number
  readonly end: number
  /** How many brackets are open around it. */
  readonly depth: number
}

/** As the engine's own lexer: in quotes, a doubled quote and a backslash both escape. */
const pattern = new RegExp(
  [
    String.raw`[ \t\n\r\f\v]+|--[^\n]*|#[ !][^\n]*|\/\*[\s\S]*?\*\/`, // dropped
    String.raw`('(?:[^'\\]|\\[\s\S]|'')*')`,
    '(`(?:[^`\\\\]|\\\\[\\s\\S]|``)*`|"(?:[^"\\\\]|\\\\[\\s\\S]|"")*")',
    '([A-Za-z_][A-Za-z0-9_$]*)',
    String.raw`(0[xX][0-9a-fA-F]+|\d+(?:_\d+)*(?:[eE][+-]?\d+)?)`,
    '([!-~])',
  ].join('|'),
  'gy',
)

/**
 * Splits a statement; comments and white space are dropped. Reading stops behind the token for which `last` is true.
 * @throws EngineError for what the engine's lexer and this one might read differently: an open quote or comment, a
 * comment in a comment (there they nest), a literal with a prefix, letters that follow a number, a `$` or `//`, and characters outside ASCII that are not in quotes.
 */
export function tokenize(sql: string, last: (token: Token) => boolean = () => false): Token[] {
  const tokens: Token[] = []
  let depth = 0
  pattern.lastIndex = 0
  for (let at = 0; at < sql.length; at = pattern.lastIndex) {
    const match = pattern.exec(sql)
    if (!match) throw unreadable(at)
    const [, string, quoted, word, number, symbol] = match
    const end = pattern.lastIndex
    // x'…' and b'…' have rules of their own.
    if (string !== undefined && /[\w$]/.test(sql.charAt(at - 1))) throw unreadable(at)
    // To the engine, the letters may be a word of their own, or the whole a name.
    if (number !== undefined && /[\w$]/.test(sql.charAt(end))) throw unreadable(at)
    if (match[0].startsWith('/*') && match[0].indexOf('/*', 2) > 0) throw unreadable(at)
    if (symbol !== undefined && (/['`"$#]/.test(symbol) || /^\/[*/]/.test(sql.slice(at, at + 2)))) throw unreadable(at)
    if (symbol === '.' && /[A-Za-z_]/.test(sql.charAt(end)) && !followsName(tokens)) throw unreadable(at)
    if (symbol === ')' || symbol === ']') depth--
    let token: Token | undefined
    if (string !== undefined) token = { kind: 'string', text: string, at, end, depth }
    else if (quoted !== undefined) token = { kind: 'quoted', text: unquote(quoted), at, end, depth }
    else if (word !== undefined) token = { kind: 'word', text: word, at, end, depth }
    else if (number !== undefined) token = { kind: 'number', text: number, at, end, depth }
    else if (symbol !== undefined) token = { kind: 'symbol', text: symbol, at, end, depth }
    if (symbol === '(' || symbol === '[') depth++
    if (token) tokens.push(token)
    if (token && last(token)) break
  }
  return tokens
}

/** Whether a dot here is the one of `t.name`, not of a number such as `.e5` and `1.e5`. */
function followsName(tokens: readonly Token[]): boolean {
  const last = tokens.at(-1)
  if (last?.kind === 'number') return tokens.at(-2)?.text === '.'
  return last !== undefined && (last.kind === 'word' || last.kind === 'quoted' || /[)\]}]/.test(last.text))
}

function unreadable(at: number): EngineError {
  return new EngineError(62, 'SYNTAX_ERROR', `Syntax error: an unrecognized or unclosed token at position ${at + 1}`)
}

/** Escapes stay as they are: a name with one is nobody's honest name, and the gate refuses it. */
function unquote(quoted: string): string {
  const quote = quoted[0]!
  return quoted.slice(1, -1).replaceAll(quote + quote, quote)
}
