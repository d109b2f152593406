/**
 * The wall clock and randomness are injected (src/kernel/clock.ts): nothing else in the product asks for them by itself. Planted
 * lines are looked for in the same run.
 */
import { globSync, readFileSync } from 'node:fs'

const asked = /\bMath\.random\b|\bDate\.now\b|\bnew Date\(\)/
/** Those that may, and why. */
const allowed = [
  'src/kernel/clock.ts', // what is injected
  'src/transports/kafka/quiet-queue.ts', // compares with a time that kafkajs takes so
  'src/cli/doctor/clock.ts', // measures the machine's own clock
  'modules/sagas/kit/', // runs in the services of users, beside Node alone
]
const planted = [
  'const at = Date.now()',
  'setTimeout(work, 10 * Math.random())',
  'const made = new Date()',
  'f(Math.random)',
]

const files = globSync('{src,modules}/**/*.ts', { exclude: (path) => /(^|\/)node_modules$/.test(path) }).filter(
  (file) => !/\.(test|fixture)\.ts$/.test(file),
)
const found = files.flatMap((file) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, i) => (asked.test(line) ? [{ file, place: `${file}:${i + 1}`, line: line.trim() }] : [])),
)
const strays = found.filter(({ file }) => !allowed.some((place) => file.startsWith(place)))
for (const { place, line } of strays)
  console.error(`${place} takes the system's clock or randomness by itself: ${line}`)
const missed = planted.filter((line) => !asked.test(line))
for (const line of missed) console.error(`not found: ${line}`)
const unused = allowed.filter((place) => !found.some(({ file }) => file.startsWith(place)))
for (const place of unused) console.error(`${place} may, and does not any more: take it off the list`)
console.log(
  `${strays.length} uses of the system's clock and randomness outside of their places, ${found.length} inside`,
)
process.exit(strays.length + missed.length + unused.length > 0 ? 1 : 0)
