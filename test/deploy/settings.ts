import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { settings } from '../../src/config.ts'
import { liveSettings } from '../../src/live-settings.ts'
import { root, run } from './run.ts'

/** What a container is given by the Dockerfile. */
const image = { HOST: '0.0.0.0', PORT: '8080', DATA_DIR: '/data' }
const nothing = Object.fromEntries(Object.keys(settings.shape).map((name) => [name, '']))
const foreign = /^(NODE_|TZ$)/

/** What a container has to be given, as the file says it. */
export interface Given {
  readonly env: Readonly<Record<string, string>>
  /** Folders that are mounted, by their path in the container; of a file in one that is known, its text. */
  readonly mounts: Readonly<Record<string, (file: string) => string | undefined>>
}

/**
 * The product would start with these settings, knows them all, can be told others while it runs, and writes where something is mounted.
 * @throws Error naming `who` when not so
 */
export async function checkSettings(who: string, { env: given, mounts }: Given): Promise<void> {
  const unknown = Object.keys(given).filter((name) => !(name in settings.shape) && !foreign.test(name))
  if (unknown.length > 0) throw new Error(`${who}: there is no setting ${unknown.join(', ')}`)
  const live = liveFile(who, given, mounts)
  const folder = await mkdtemp(join(tmpdir(), 'splitstream-settings-'))
  try {
    const file = join(folder, 'settings.env')
    await writeFile(file, live.replaceAll(/^# (?=[A-Z_]+=)/gm, ''))
    const env = { ...nothing, ...image, ...given, CONFIG_FILE: file }
    await run(process.execPath, ['src/cli/bin.ts', 'topology', '--json'], { cwd: root, env })
  } catch (error) {
    throw new Error(`${who}: ${error instanceof Error ? error.message : String(error)}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The text of its file of settings: a container's environment cannot change, so nothing else can be read again. */
function liveFile(who: string, env: Given['env'], mounts: Given['mounts']): string {
  const file = env.CONFIG_FILE
  if (!file) throw new Error(`${who}: no CONFIG_FILE, so that no setting can change while it runs`)
  const text = mounts[dirname(file)]?.(file.slice(dirname(file).length + 1))
  if (text === undefined) throw new Error(`${who}: nothing is mounted where CONFIG_FILE is`)
  const shown = [...text.matchAll(/^# ([A-Z_]+)=/gm)].map(([, name]) => name!)
  const fixed = shown.filter((name) => !liveSettings.some((one) => one === name))
  if (shown.length === 0 || fixed.length > 0)
    throw new Error(
      `${who}: its file of settings shows ${fixed.join(', ') || 'nothing'}, and has to show what is read again`,
    )
  const hidden = shown.filter((name) => name in env)
  if (hidden.length > 0)
    throw new Error(`${who}: its environment sets ${hidden.join(', ')}, which the file cannot change then`)
  return text
}

/** @throws Error when a process that can be backed up has nowhere to put backups, or only where its data is */
export function checkBackups(who: string, { env, mounts }: Given): void {
  const dir = env.BACKUP_DIR
  if (!dir) throw new Error(`${who}: no BACKUP_DIR, so that "splitstream backup" is refused`)
  const mountOf = (path: string) => Object.keys(mounts).find((mount) => path === mount || path.startsWith(`${mount}/`))
  const mount = mountOf(dir)
  if (mount === undefined) throw new Error(`${who}: nothing is mounted where BACKUP_DIR is`)
  if (mount === mountOf(env.DATA_DIR ?? image.DATA_DIR))
    throw new Error(`${who}: backups are on the volume of the data`)
}
