import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { backupPlants } from './backup/planted.ts'
import { sagaPlants } from './sagas/planted.ts'

export interface Plant {
  readonly edits: readonly { readonly file: string; readonly find: string; readonly replace: string }[]
  /** The run that has to notice. */
  readonly run: readonly string[]
  /** How often it may run until it does; once when not given. For a bug that does harm by chance. */
  readonly runs?: number
  /** What it has to say: a bug that only stops the harness proves nothing. */
  readonly finding: RegExp
}

const lost = /"acknowledged and lost/
const eventsTable = 'migrations/clickhouse/storage/0001_events.sql'

/** Bugs that the product must not have, as edits of its own text. */
export const plants: Readonly<Record<string, Plant>> = {
  'ack-before-fsync': {
    edits: [
      { file: 'src/transports/log/file.ts', find: 'PRAGMA synchronous = FULL', replace: 'PRAGMA synchronous = OFF' },
    ],
    run: ['power-cut', '--runs', '3'],
    finding: lost,
  },
  'no-fsync-engine': {
    edits: [
      { file: eventsTable, find: 'fsync_after_insert = 1', replace: 'fsync_after_insert = 0' },
      { file: eventsTable, find: 'fsync_part_directory = 1', replace: 'fsync_part_directory = 0' },
      // Else the check at the start brings the lost rows back from the log.
      {
        file: 'modules/storage/app/repair-lane.ts',
        find: 'let actual = await count()\n  if (actual === expected) return',
        replace: 'let actual = await count()\n  if (actual <= expected) return',
      },
    ],
    run: ['power-cut', '--runs', '3'],
    finding: lost,
  },
  'dedup-off': {
    edits: [
      {
        file: 'modules/storage/app/drop-duplicates.ts',
        find: 'if (doubtful.length === 0) return block.rows',
        replace: 'if (doubtful.length >= 0) return block.rows',
      },
    ],
    run: ['kill', '--seeds', '3'],
    finding: /"doubled/,
  },
  'confirm-before-insert': {
    edits: [
      {
        file: 'modules/storage/app/consume-lane.ts',
        find: 'await progress.begin(range)',
        replace: 'await progress.begin(range); await progress.confirm(range, 0, [])',
      },
    ],
    run: ['kill', '--seeds', '5'],
    finding: lost,
  },
  // Storage takes from both logs at once.
  'no-turns': {
    edits: [
      {
        file: 'src/log-handover.ts',
        find: 'await this.#turnOf(beginning, lane)',
        replace: 'void this.#turnOf(beginning, lane)',
      },
    ],
    run: ['extract'],
    // Two storages have to overlap: missed in one of two runs on a quiet machine.
    runs: 4,
    finding: /"doubled/,
  },
  // Whoever is asked to stop, stops.
  'no-drain': {
    edits: [{ file: 'src/main.ts', find: '    await running.stop()\n    process.exit(', replace: '    process.exit(' }],
    run: ['rolling', '--restarts', '8', '--rate', '1500'],
    finding: /got no answer/,
  },
  // An engine that does not stay up is nobody's to mend.
  'always-ready': {
    edits: [
      { file: 'src/health/engine-health.ts', find: 'this.#own && failingMs', replace: '!this.#own && failingMs' },
      {
        file: 'src/health/engine-health.ts',
        find: 'const [loopEnds, loopMs] = [3,',
        replace: 'const [loopEnds, loopMs] = [3_000,',
      },
    ],
    run: ['engine-down', '--hold', '17'],
    finding: /"ready, and must not be"/,
  },
  ...backupPlants,
  ...sagaPlants,
}

const root = fileURLToPath(new URL('../../', import.meta.url))
const copied = ['src', 'modules', 'migrations', 'deploy', 'test', 'package.json', 'tsconfig.json']

/** Plants one bug (or each) into a copy and runs the checker there. Returns how many were not caught. */
export async function runPlanted(name: string): Promise<number> {
  const names = name === 'all' ? Object.keys(plants) : [name]
  let missed = 0
  for (const each of names) {
    const plant = plants[each]
    if (!plant) throw new Error(`there is no bug called ${each}; there are ${Object.keys(plants).join(', ')}`)
    const home = await mkdtemp(join(tmpdir(), 'splitstream-planted-'))
    try {
      await copyProduct(home)
      for (const edit of plant.edits) await applyEdit(home, edit)
      let caught = false
      for (let run = 1; run <= (plant.runs ?? 1) && !caught; run++) {
        const { code, output } = await runChecker(home, plant.run)
        caught = code === 1 && plant.finding.test(output)
        console.log(JSON.stringify({ planted: each, checker: plant.run.join(' '), exitCode: code, caught }))
      }
      if (!caught) missed++
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  }
  return missed
}

/** Packages are linked one by one, so that the workspaces' own links lead into the copy. */
export async function copyProduct(home: string): Promise<void> {
  for (const name of copied) await cp(join(root, name), join(home, name), { recursive: true })
  const packages = join(home, 'node_modules')
  await mkdir(join(packages, '@splitstream'), { recursive: true })
  for (const name of await readdir(join(root, 'node_modules'))) {
    if (name !== '@splitstream') await symlink(join(root, 'node_modules', name), join(packages, name))
  }
  for (const name of await readdir(join(root, 'node_modules/@splitstream'))) {
    const target = await realpath(join(root, 'node_modules/@splitstream', name))
    await symlink(join(home, target.slice(root.length)), join(packages, '@splitstream', name))
  }
}

/** @throws Error unless the text is there exactly once: a plant that misses would prove nothing. */
export async function applyEdit(home: string, { file, find, replace }: Plant['edits'][number]): Promise<void> {
  const path = join(home, file)
  const text = await readFile(path, 'utf8')
  const hits = text.split(find).length - 1
  if (hits !== 1) throw new Error(`the bug cannot be planted: "${find}" is ${hits} times in ${file}`)
  await writeFile(path, text.replace(find, replace))
}

function runChecker(home: string, args: readonly string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const temporary = join(home, 'tmp')
    mkdirSync(temporary, { recursive: true })
    const child = spawn(process.execPath, [join(home, 'test/chaos/main.ts'), ...args], {
      cwd: home,
      // What the checker keeps as evidence goes with the copy: of a planted bug there is nothing to look into.
      env: { ...process.env, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      process.stdout.write(text.replace(/^/gm, '  | '))
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output }))
  })
}
