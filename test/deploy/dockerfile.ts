import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root, run } from './run.ts'
import { pythonTools } from './tools.ts'

/** hadolint, and that the install sees the manifest of every workspace: without it a package is missing in the image. */
export async function checkDockerfile(): Promise<void> {
  await run(join(await pythonTools(), 'hadolint'), ['Dockerfile'])
  const text = readFileSync(join(root, 'Dockerfile'), 'utf8')
  const { workspaces } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { workspaces: string[] }
  const missing = workspaces
    .flatMap((pattern) => globSync(pattern, { cwd: root }))
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .filter((folder) => !text.includes(`COPY ${folder}/package.json ${folder}/\n`))
  if (missing.length > 0) throw new Error(`Dockerfile: no COPY of the package.json of ${missing.join(', ')}`)
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const base = /^ARG BASE=node:([\d.]+)-/m.exec(text)?.[1]
  if (base !== dependencies.node) {
    throw new Error(`Dockerfile: the base image has Node ${base}, package.json ${dependencies.node}`)
  }
}
