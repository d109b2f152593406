/** One token of ClickHouse SQL. `quoted`: an identifier in backticks or double quotes, unquoted in `text`. */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'symbol'
  readonly text: string
  /** Where it starts in the statement. */
  readonly at: number
}

const pattern =
  /\s+|--[^\n]*|#[ !][^\n]*|\/\*[\s\S]*?\*\/|('(?:[^'\\]|\\[\s\S]|'')*')|(`(?:[^`\\]|\\[\s\S]|``)*`|"(?:[^"\\]|\\[\s\S]|"")*")|([A-Za-z_][A-Za-z0-9_$]*)|(\d[\w.]*)|([\s\S])/gy

/** Splits a statement; comments and white space are dropped. An open quote or comment makes single-symbol tokens. */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = []
  pattern.lastIndex = 0
  for (let match = pattern.exec(sql); match; match = pattern.exec(sql)) {
    const [, string, quoted, word, number, symbol] = match
    const at = match.index
    if (string !== undefined) tokens.push({ kind: 'string', text: string, at })
    else if (quoted !== undefined) tokens.push({ kind: 'quoted', text: unquote(quoted), at })
    else if (word !== undefined) tokens.push({ kind: 'word', text: word, at })
    else if (number !== undefined) tokens.push({ kind: 'number', text: number, at })
    else if (symbol !== undefined) tokens.push({ kind: 'symbol', text: symbol, at })
  }
  return tokens
}

function unquote(quoted: string): string {
  const quote = quoted[0]!
  return quoted
    .slice(1, -1)
    .replaceAll(quote + quote, quote)
    .replace(/\\([\s\S])/g, '$1')
}
