import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Plant {
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** Bugs that a checker must find. Each replaces one place of the product, which must be there exactly once. */
export const plants: Readonly<Record<string, readonly Plant[]>> = {
  'ack-before-fsync': [
    { file: 'src/transports/log/file.ts', find: 'PRAGMA synchronous = FULL', replace: 'PRAGMA synchronous = OFF' },
  ],
  'engine-defaults': [
    {
      file: 'src/engines/clickhouse/child/config-file.ts',
      find: '<fsync_after_insert>1</fsync_after_insert>',
      replace: '<fsync_after_insert>0</fsync_after_insert>',
    },
    {
      file: 'src/engines/clickhouse/child/config-file.ts',
      find: '<fsync_part_directory>1</fsync_part_directory>',
      replace: '<fsync_part_directory>0</fsync_part_directory>',
    },
    {
      file: 'migrations/clickhouse/storage/0001_events.sql',
      find: ', fsync_after_insert = 1, fsync_part_directory = 1',
      replace: '',
    },
    // Else the start-up gate brings the lost rows back from the log.
    {
      file: 'modules/storage/app/repair-lane.ts',
      find: 'if (actual === expected) return',
      replace: 'if (actual <= expected) return',
    },
  ],
  'no-repair': [
    {
      file: 'modules/storage/app/repair-lane.ts',
      find: 'if (actual === expected) return',
      replace: 'if (actual <= expected) return',
    },
  ],
  'dedup-off': [
    {
      file: 'modules/storage/app/drop-duplicates.ts',
      find: 'if (doubtful.length === 0) return block.rows',
      replace: 'if (doubtful.length >= 0) return block.rows',
    },
  ],
  'confirm-before-insert': [
    {
      file: 'modules/storage/app/consume-lane.ts',
      find: 'await progress.begin(range)',
      replace: 'await progress.begin(range); await progress.confirm(range, 0, [])',
    },
  ],
}

/** A copy of the product with the bug in it; packages are shared. */
export async function plantedTree(name: string): Promise<{ root: string; remove(): Promise<void> }> {
  const plant = plants[name]
  if (!plant) throw new Error(`there is no planted bug ${name}; there are ${Object.keys(plants).join(', ')}`)
  const from = fileURLToPath(new URL('../../', import.meta.url))
  const root = await mkdtemp(join(tmpdir(), 'splitstream-planted-'))
  for (const part of ['src', 'modules', 'migrations', 'package.json'])
    await cp(join(from, part), join(root, part), { recursive: true })
  await mkdir(join(root, 'node_modules/@splitstream'), { recursive: true })
  for (const entry of await readdir(join(from, 'node_modules'))) {
    if (entry !== '@splitstream') await symlink(join(from, 'node_modules', entry), join(root, 'node_modules', entry))
  }
  await symlink(join(root, 'src/kernel'), join(root, 'node_modules/@splitstream/kernel'))
  for (const module of await readdir(join(root, 'modules'))) {
    await symlink(join(root, 'modules', module), join(root, 'node_modules/@splitstream', module))
  }
  for (const { file, find, replace } of plant) {
    const text = await readFile(join(root, file), 'utf8')
    if (text.split(find).length !== 2) throw new Error(`${file} does not have exactly one ${JSON.stringify(find)}`)
    await writeFile(join(root, file), text.replace(find, replace))
  }
  return { root, remove: () => rm(root, { recursive: true, force: true }) }
}
