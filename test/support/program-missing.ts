import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Why what needs this program cannot run here; undefined when the program is in PATH. */
export function programMissing(name: string): string | undefined {
  const places = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name))
  return places.some(isExecutable) ? undefined : `${name} is not in PATH`
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
