import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Connection } from './api.ts'

/** --url and --key, which SPLITSTREAM_URL and SPLITSTREAM_KEY stand in for. */
export function withConnection(command: Command): Command {
  return command
    .addOption(new Option('--url <url>', 'the server').env('SPLITSTREAM_URL').default('http://127.0.0.1:8080'))
    .addOption(new Option('--key <key>', 'an API key with the scope that the command needs').env('SPLITSTREAM_KEY'))
}

/** @throws Error when no key was given. */
export function connectionOf(options: { url: string; key?: string | undefined }): Connection {
  if (options.key === undefined || options.key === '') throw new Error('an API key is needed: --key or SPLITSTREAM_KEY')
  return { url: options.url.replace(/\/+$/, ''), key: options.key }
}

/** An option's value as a whole number from `min` to `max`. */
export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
    }
    return value
  }
}

/** An option's value as names between commas. */
export function names(text: string): string[] {
  const list = text.split(',').map((name) => name.trim())
  if (list.some((name) => name === '')) throw new InvalidArgumentError('It must be names between commas.')
  return list
}

/** Adds examples below the help. */
export function examples(command: Command, ...lines: string[]): Command {
  return command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`)
}

/** Writes one line, or a table, to stdout. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
