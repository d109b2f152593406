/** docs/config.md, made from the schema in src/config.ts. Run it to write the file: node test/docs/config-doc.ts */
import { writeFileSync } from 'node:fs'
import { z } from 'zod'
import { settings } from '../../src/config.ts'
import { liveSettings } from '../../src/live-settings.ts'

/** The parts of JSON Schema that a setting uses. */
interface Setting {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly string[]
  readonly format?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly items?: { readonly enum?: readonly string[] }
}

const isLive: ReadonlySet<string> = new Set(liveSettings)

export const configDocPath = new URL('../../docs/config.md', import.meta.url)

const intro = `# Settings

Generated from the schema in \`src/config.ts\` by \`node test/docs/config-doc.ts\`; do not edit.

Settings are environment variables. A file is read too, the one that \`CONFIG_FILE\` names or \`.env\` in the working directory; the environment
wins. An empty value counts as unset. All are read at the start; those with an asterisk again at each \`SIGHUP\`, and when the file
of \`CONFIG_FILE\` changes ([operations](operations.md#settings-that-change-while-it-runs)). A value that is not legal, an unknown name in the file and an unknown
\`LINK_\` variable stop the start with exit code 2 and a message that says what was found and what is legal.
`

export function renderConfigDoc(): string {
  const given = propertiesOf('input')
  const taken = propertiesOf('output')
  const rows = Object.entries(given).map(([name, setting]) => [
    isLive.has(name) ? `${code(name)} \\*` : code(name),
    setting.default === undefined ? 'unset' : amount(name, setting.default),
    legal(name, setting, taken[name] ?? setting),
    (setting.description ?? '').replaceAll('|', '\\|'),
  ])
  return `${intro}\n${table(['setting', 'default', 'legal', 'meaning'], rows)}\n`
}

function propertiesOf(io: 'input' | 'output'): Record<string, Setting> {
  const { properties } = z.toJSONSchema(settings, { io, unrepresentable: 'any' })
  return properties as Record<string, Setting>
}

/** @param taken the setting after parsing: what a list may hold is only known there */
function legal(name: string, given: Setting, taken: Setting): string {
  const list = taken.items?.enum
  if (list) return `${code(given.default)}, or names between commas: ${list.map(code).join(', ')}`
  if (given.enum) return given.enum.map(code).join(', ')
  if (given.format === 'uri') return 'a URL'
  if (taken.type === 'boolean') return '`true`, `false`'
  if (given.type === 'integer' || given.type === 'number') {
    const kind = given.type === 'integer' ? 'whole number' : 'number'
    return `${kind}, ${amount(name, given.minimum)} to ${amount(name, given.maximum)}`
  }
  return (given.minLength ?? 0) > 1 ? `text, at least ${given.minLength} characters` : 'text'
}

const units = [
  [2 ** 50, 'PiB'],
  [2 ** 40, 'TiB'],
  [2 ** 30, 'GiB'],
  [2 ** 20, 'MiB'],
  [2 ** 10, 'KiB'],
] as const

/** A value as it is written in the environment; bytes with their size for people. */
function amount(name: string, value: unknown): string {
  const unit = name.endsWith('_BYTES') ? units.find(([size]) => Number(value) >= size && Number(value) % size === 0) : 0
  return unit ? `${code(value)} (${Number(value) / unit[0]} ${unit[1]})` : code(value)
}

const code = (value: unknown): string => `\`${String(value)}\``

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

if (import.meta.main) writeFileSync(configDocPath, renderConfigDoc())
