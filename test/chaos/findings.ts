/** What a checker found, at most a few of each kind by name; `total` counts all. Nothing found means the run passed. */
export class Findings {
  readonly #kinds = new Map<string, { total: number; examples: string[] }>()

  add(kind: string, example: string): void {
    const found = this.#kinds.get(kind) ?? { total: 0, examples: [] }
    found.total++
    if (found.examples.length < 5) found.examples.push(example)
    this.#kinds.set(kind, found)
  }

  get ok(): boolean {
    return this.#kinds.size === 0
  }

  toJSON(): Record<string, { total: number; examples: string[] }> {
    return Object.fromEntries(this.#kinds)
  }
}
