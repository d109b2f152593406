/** Files stay small: none over 400 lines, median at most 80 (product code, tests apart), and the process in main.ts at one look. */
import { globSync, readFileSync } from 'node:fs'

const maxLines = 400
const maxMedian = 80
/** Those that have a limit of their own. */
const limits: Readonly<Record<string, number>> = { 'src/main.ts': 60 }
const limitOf = (file: string): number => limits[file] ?? maxLines
const files = globSync(['*.ts', '{src,modules,test}/**/*.ts'], { exclude: (path) => /(^|\/)node_modules$/.test(path) })
const sizes = files.map((file) => ({ file, lines: readFileSync(file, 'utf8').split('\n').length - 1 }))
const tooLong = sizes.filter(({ file, lines }) => lines > limitOf(file))
for (const { file, lines } of tooLong) console.error(`${file} has ${lines} lines; the limit is ${limitOf(file)}`)
const product = sizes
  .filter(({ file }) => /^(src|modules)\//.test(file) && !/\.(test|fixture)\.ts$/.test(file))
  .map((s) => s.lines)
const median = product.sort((a, b) => a - b)[product.length >> 1] ?? 0
console.log(
  `${files.length} files, median ${median} lines in ${product.length} product files, longest ${Math.max(...product)}`,
)
if (median > maxMedian) console.error(`the median is over ${maxMedian} lines`)
process.exit(tooLong.length > 0 || median > maxMedian ? 1 : 0)
