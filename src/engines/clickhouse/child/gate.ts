import { EngineError } from './errors.ts'
import * as lists from './gate-lists.ts'
import { type Token, tokenize } from './tokens.ts'

/**
 * What SQL may reach: the data in this directory and nothing else. The engine's own `readonly` does not keep a statement
 * from files or the network (file(), url(), INTO OUTFILE and DESCRIBE url() all work under it), so every statement passes
 * this gate before the engine sees it. It looks at tokens, not at a grammar: a name is judged wherever it stands (in a
 * CTE, a subquery, EXPLAIN, a default, a view), so that no clause of the engine's grammar is a way round.
 */
export interface Gate {
  /** The statement's tokens, without trailing semicolons. @throws EngineError ACCESS_DENIED, SYNTAX_ERROR */
  check(sql: string): readonly Token[]
  isDeniedSetting(name: string): boolean
}

/** @param known every table function of this engine build (system.table_functions): new ones are refused */
export function createGate(known: readonly string[]): Gate {
  const denied = new Set([...known.map((name) => name.toLowerCase()), ...lists.outside, ...lists.deniedFunctions])
  for (const name of lists.tableFunctions) denied.delete(name)
  // Also a scalar function, to which checkFormat leaves only the calls that cannot be the table function.
  denied.delete('format')
  const isDeniedSetting = (name: string): boolean => lists.deniedSettings.test(name.toLowerCase())

  return {
    isDeniedSetting,
    check: (sql) => {
      const tokens = tokenize(sql)
      while (tokens.at(-1)?.text === ';') tokens.pop()
      checkStart(tokens)
      let settings = false
      tokens.forEach((token, i) => {
        const next = tokens[i + 1]
        if (token.kind === 'symbol' && token.text === ';') throw refusal('more than one statement')
        if (next?.text === '(' && next.kind === 'symbol') checkCall(token, tokens, i, denied)
        if (token.kind === 'word') {
          checkWord(token, tokens, i)
          settings ||= /^settings?$/i.test(token.text)
        }
        const isName = token.kind === 'word' || token.kind === 'quoted'
        if (settings && isName && next?.text === '=' && isDeniedSetting(token.text)) {
          throw refusal(`the setting ${token.text}`)
        }
      })
      return tokens
    },
  }
}

function checkStart(tokens: readonly Token[]): void {
  const at = tokens.findIndex((token) => token.text !== '(')
  const first = tokens[at]
  if (!first) throw new EngineError(62, 'SYNTAX_ERROR', 'Syntax error: an empty query')
  if (first.kind !== 'word' || !lists.statements.has(lower(first))) {
    throw refusal(`a statement that starts with ${first.text.slice(0, 40)}`)
  }
  const [object, name] = [tokens[at + 1], tokens[at + 2]]
  if (/^(create|alter|drop|rename|exchange)$/i.test(first.text) && !(object && lists.objects.has(lower(object)))) {
    throw refusal(`${first.text.toUpperCase()} ${object?.text ?? ''}`)
  }
  // Connections open in it, so the engine would not answer any more.
  if (
    /^(drop|rename)$/i.test(first.text) &&
    lower(object!) === 'database' &&
    tokens.some((t) => lower(t) === 'default')
  ) {
    throw refusal(`${first.text.toUpperCase()} DATABASE ${name?.text ?? ''}`)
  }
}

function checkWord(token: Token, tokens: readonly Token[], i: number): void {
  const name = lower(token)
  const previous = tokens[i - 1]
  if (lists.deniedWords.has(name)) throw refusal(name.toUpperCase())
  if (name === 'engine') checkEngine(tokens, i + 1)
  if (name === 'function' && previous && /^(into|table|replace|create|drop)$/i.test(previous.text))
    throw refusal('FUNCTION')
  if (name === 'override' && previous && lower(previous) === 'table') throw refusal('TABLE OVERRIDE')
}

/** Any name before a bracket is taken for a call, whatever it is there. */
function checkCall(token: Token, tokens: readonly Token[], i: number, denied: ReadonlySet<string>): void {
  if (token.kind === 'number') throw refusal('a number before a bracket')
  if (token.kind !== 'word' && token.kind !== 'quoted') return
  if (token.kind === 'quoted' && token.text.includes('\\')) throw refusal('an escape in the name of a function')
  const name = lower(token)
  // The clause of an INSERT; elsewhere it is a table function.
  const isClause =
    name === 'values' && token.depth === 0 && lower(tokens[0]!) === 'insert' && isFirstWord(name, tokens, i)
  if (isClause) return
  if (denied.has(name)) throw refusal(`the function ${token.text}`)
  if (name === 'format') checkFormat(tokens[i + 2])
}

/** The scalar format('{} {}', …) is harmless; the table function format(Values, '…') would evaluate SQL in a string. */
function checkFormat(argument: Token | undefined): void {
  if (argument?.kind !== 'string' || !argument.text.includes('{')) throw refusal('the table function format')
}

/** `ENGINE = Name` and `ENGINE Name`. As the name of a column the word is followed by neither. */
function checkEngine(tokens: readonly Token[], at: number): void {
  const equals = tokens[at]?.text === '='
  const named = equals ? tokens[at + 1] : tokens[at]
  if (!named || (named.kind !== 'word' && named.kind !== 'quoted')) return
  const creates = tokens.some((token) => token.depth === 0 && /^(create|alter)$/i.test(token.text))
  // Without the sign it is a clause only outside brackets; inside, it is a column and its type.
  if (!creates || (!equals && (named.depth > 0 || /^(from|as)$/i.test(named.text)))) return
  if (!lists.engines.has(lower(named))) throw refusal(`ENGINE ${named.text}`)
}

const isFirstWord = (name: string, tokens: readonly Token[], i: number): boolean =>
  !tokens.slice(0, i).some((token) => token.depth === 0 && (lower(token) === name || lower(token) === 'select'))

const lower = (token: Token): string => token.text.toLowerCase()

function refusal(what: string): EngineError {
  return new EngineError(497, 'ACCESS_DENIED', `Not allowed in the embedded engine: ${what.slice(0, 100)}`)
}
