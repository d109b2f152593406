/** What is wrong with a definition, and where, in terms of its author. */
export interface Problem {
  /** JSONPath, such as `$.steps[2].call.path`. */
  readonly path: string
  readonly detail: string
}

export type Path = readonly PropertyKey[]

const maxProblems = 50

/** Gathers problems, at most 50 of them: beyond that nobody reads on. */
export class Problems {
  readonly list: Problem[] = []

  add(path: Path, detail: string): void {
    if (this.list.length < maxProblems) this.list.push({ path: jsonPath(path), detail })
  }

  get full(): boolean {
    return this.list.length >= maxProblems
  }
}

/** RFC 9535, in the short form where a name allows it. */
function jsonPath(path: Path): string {
  let text = '$'
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else if (typeof part === 'string' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(part)) text += `.${part}`
    else text += `[${JSON.stringify(String(part)).slice(0, 120)}]`
  }
  return text
}
