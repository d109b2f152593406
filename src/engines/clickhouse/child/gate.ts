import { EngineError } from './errors.ts'
import { type Token, tokenize } from './tokens.ts'

/**
 * What SQL may reach: the data in this directory and nothing else. The engine's own `readonly` does not keep a statement
 * from files or the network (file(), url(), INTO OUTFILE and DESCRIBE url() all work under it), so every statement passes
 * this gate first. It is an allow-list where names can grow with the engine (statements, table functions, engines) and a
 * deny-list for the few scalar functions and clauses that reach outside.
 */
const statements = new Set([
  'select',
  'with',
  'show',
  'describe',
  'desc',
  'explain',
  'exists',
  'insert',
  'create',
  'alter',
  'drop',
  'truncate',
  'optimize',
  'rename',
  'check',
  'exchange',
  'delete',
]) // prettier-ignore

const creatable = new Set(['table', 'database', 'view', 'materialized', 'or', 'if', 'temporary'])

/** Words that are clauses reaching files, disks, other servers or the server itself; never needed as plain names here. */
const deniedWords = new Set([
  'infile',
  'outfile',
  'dictionary',
  'dictionaries',
  'backup',
  'restore',
  'attach',
  'detach',
  'freeze',
  'unfreeze',
  'fetch',
  'disk',
  'volume',
  'named',
  'kill',
  'system_reload',
  'grant',
  'revoke',
  'user',
  'role',
  'quota',
  'profile',
]) // prettier-ignore

/** Table functions that make rows out of nothing or out of our own tables. Some share their name with scalar functions. */
const tableFunctions = new Set([
  'numbers',
  'numbers_mt',
  'zeros',
  'zeros_mt',
  'generate_series',
  'generateseries',
  'values',
  'view',
  'viewifpermitted',
  'null',
  'generaterandom',
  'format',
  'primes',
]) // prettier-ignore

const deniedFunctions = new Set([
  'file',
  'catboostevaluate',
  'modelevaluate',
  'getserverport',
  'getmacro',
  'hostname',
  'fqdn',
  'addresstoline',
  'addresstolinewithinlines',
  'addresstosymbol',
  'executable',
  'joinget',
  'joingetornull',
  'sleepeachrowuntil',
]) // prettier-ignore

/** Refused whatever the engine lists: the network and file functions known today. */
const knownOutside = [
  'url',
  'urlcluster',
  's3',
  's3cluster',
  'gcs',
  'remote',
  'remotesecure',
  'cluster',
  'clusterallreplicas',
  'mysql',
  'postgresql',
  'mongodb',
  'redis',
  'sqlite',
  'jdbc',
  'odbc',
  'hdfs',
  'hdfscluster',
  'azureblobstorage',
  'iceberg',
  'deltalake',
  'hudi',
  'filecluster',
  'executable',
  'python',
  'input',
  'merge',
  'fuzzjson',
  'dictionary',
  'loop',
] // prettier-ignore

const engines =
  /^(?:(?:Replicated)?(?:Replacing|Summing|Aggregating|Collapsing|VersionedCollapsing)?MergeTree|Memory|Null|View|MaterializedView|Atomic)$/

export type Gate = (sql: string) => Token[]

/** @param listed every table function that this engine build knows (system.table_functions) */
export function createGate(listed: readonly string[]): Gate {
  const denied = new Set([...listed.map((name) => name.toLowerCase()), ...knownOutside])
  for (const name of tableFunctions) denied.delete(name)
  for (const name of deniedFunctions) denied.add(name)

  /** The statement's tokens. @throws EngineError ACCESS_DENIED */
  return (sql) => {
    const tokens = tokenize(sql)
    while (tokens.at(-1)?.text === ';') tokens.pop()
    const first = tokens.find((token) => token.text !== '(')
    if (!first || first.kind !== 'word' || !statements.has(first.text.toLowerCase())) {
      throw refusal(`a statement that starts with ${first?.text.slice(0, 40) ?? 'nothing'}`)
    }
    tokens.forEach((token, i) => {
      const name = token.text.toLowerCase()
      const next = tokens[i + 1]
      if (token.kind === 'symbol' && name === ';') throw refusal('more than one statement')
      if (token.kind === 'word' && deniedWords.has(name)) throw refusal(name.toUpperCase())
      if (token.kind === 'word' && name === 'create' && !creatable.has(next?.text.toLowerCase() ?? '')) {
        throw refusal(`CREATE ${next?.text ?? ''}`)
      }
      if (token.kind === 'word' && name === 'engine') checkEngine(tokens, i + 1)
      if ((token.kind === 'word' || token.kind === 'quoted') && next?.text === '(' && denied.has(name)) {
        throw refusal(`the function ${token.text}`)
      }
    })
    return tokens
  }
}

/** `ENGINE = Name` or `ENGINE Name`; a column called engine is followed by something else. */
function checkEngine(tokens: readonly Token[], at: number): void {
  const named = tokens[at]?.text === '=' ? tokens[at + 1] : tokens[at]
  const isClause = tokens[at]?.text === '=' || (named?.kind === 'word' && tokens[at + 1]?.text === '(')
  if (isClause && named && named.kind !== 'string' && !engines.test(named.text)) throw refusal(`ENGINE ${named.text}`)
}

function refusal(what: string): EngineError {
  return new EngineError(497, 'ACCESS_DENIED', `Not allowed in the embedded engine: ${what}`)
}
