import { matchesGlob } from 'node:path'

/** One instruction of a Dockerfile, such as COPY, and what stands behind it, without its `--options`. */
export interface Instruction {
  readonly keyword: string
  readonly options: readonly string[]
  readonly rest: string
}

/** The stages of a Dockerfile, each from its FROM on. */
export function stagesOf(dockerfile: string): Instruction[][] {
  const text = dockerfile.replaceAll(/^\s*#.*\n/gm, '').replaceAll(/\\\n/g, ' ')
  const stages: Instruction[][] = []
  for (const line of text.split('\n')) {
    const [, keyword, options = '', rest = ''] = /^\s*([A-Z]+)((?:\s+--\S+)*)\s+(.*)$/.exec(line) ?? []
    if (keyword === undefined) continue
    if (keyword === 'FROM') stages.push([])
    stages.at(-1)?.push({ keyword, options: options.trim().split(/\s+/), rest })
  }
  return stages
}

/** Whether a path of the repository is kept out of the image, as .dockerignore says: the last pattern that fits wins. */
export function isIgnored(dockerignore: string, path: string): boolean {
  const parts = path.split('/')
  const above = parts.map((_, i) => parts.slice(0, i + 1).join('/'))
  let ignored = false
  for (const line of dockerignore.split('\n').filter((each) => each !== '' && !each.startsWith('#'))) {
    const pattern = line.replace(/^!/, '')
    if (above.some((one) => matchesGlob(one, pattern))) ignored = !line.startsWith('!')
  }
  return ignored
}
