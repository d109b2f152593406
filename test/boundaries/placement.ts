/**
 * Branches on placement: who runs where, and over what, is asked in topology.ts and bind.ts alone; the rest of the product is
 * given what follows from it. Planted branches are looked for in the same run: a check that finds nothing proves nothing.
 */
import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { type Branch, branchesOf } from './placement-branches.ts'
import { planted } from './placement-plants.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const knowing = ['src/topology.ts', 'src/bind.ts']
const product = globSync(['src/**/*.ts', 'modules/**/*.ts'], { cwd: root }).filter(
  (file) => !/\.(test|fixture)\.ts$/.test(file) && !file.includes('node_modules'),
)

const program = programOf(new Map(planted.map((text, i) => [`${root}src/planted-${i}.ts`, text])))
const checker = program.getTypeChecker()
const branchesIn = (file: string): Branch[] => branchesOf(program.getSourceFile(root + file)!, checker)

const found = product.filter((file) => !knowing.includes(file)).flatMap((file) => branchesIn(file))
for (const { file, line, text } of found)
  console.error(`${file.slice(root.length)}:${line} asks who runs where: ${text}`)
const missed = planted.filter((_, i) => branchesIn(`src/planted-${i}.ts`).length === 0)
for (const text of missed) console.error(`not found: ${text}`)
// Those that are allowed are the proof that the real thing is seen, too.
const allowed = knowing.flatMap((file) => branchesIn(file)).length
if (allowed === 0) console.error(`no branch is seen in ${knowing.join(' and ')}, where they are`)
console.log(
  `${found.length} branches on placement outside of topology.ts and bind.ts (${allowed} inside), ${planted.length - missed.length} of ${planted.length} planted ones found`,
)
process.exitCode = found.length + missed.length > 0 || allowed === 0 ? 1 : 0

/** The product, and beside it the planted files, which are not on the disk. */
function programOf(plants: ReadonlyMap<string, string>): ts.Program {
  const { config } = ts.readConfigFile(`${root}tsconfig.base.json`, ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  const all = { ...options, noEmit: true, composite: false, incremental: false }
  const host = ts.createCompilerHost(all)
  const { readFile, fileExists } = host
  host.readFile = (file) => plants.get(file) ?? readFile.call(host, file)
  host.fileExists = (file) => plants.has(file) || fileExists.call(host, file)
  return ts.createProgram([...product.map((file) => root + file), ...plants.keys()], all, host)
}
