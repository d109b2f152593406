/** Shows the key that this start made: it is kept as a hash alone, so nobody can show it again. */
export function announceKey(key: string): void {
  process.stderr.write(`
  The operator's API key, shown this once. Keep it:

      ${key}

`)
}
