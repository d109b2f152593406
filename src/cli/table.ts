/** Rows as a plain text table: numbers to the right, everything else to the left. */
export function table(columns: readonly string[], rows: readonly Readonly<Record<string, unknown>>[]): string {
  const right = columns.map((name) => rows.every((row) => row[name] == null || typeof row[name] === 'number'))
  const cells = rows.map((row) => columns.map((name) => cell(row[name])))
  const widths = columns.map((name, c) => Math.max(name.length, ...cells.map((line) => line[c]?.length ?? 0)))
  const join = (line: readonly string[]): string =>
    line
      .map((text, c) => (right[c] ? text.padStart(widths[c] ?? 0) : text.padEnd(widths[c] ?? 0)))
      .join('  ')
      .trimEnd()
  return [join(columns), join(widths.map((width) => '-'.repeat(width))), ...cells.map(join)].join('\n')
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Math.round(value * 1e4) / 1e4)
  if (typeof value !== 'object') return printable(String(value))
  return printable(JSON.stringify(value))
}

/** Control characters out: data from anywhere must not steer the terminal. 200 characters at most. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd').slice(0, 200)
}

/** The answer of POST /v1/query. */
export interface QueryAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly position: string
}
