/**
 * What `npm test` does: runs the scripts of package.json that it is given, one after another and all of them, also when one
 * fails, and ends with what each took. A failure of the first would else hide those of the others.
 */
import { spawnSync } from 'node:child_process'

const results = process.argv.slice(2).map((script) => {
  const from = performance.now()
  const { status } = spawnSync('npm', ['run', '--silent', script], { stdio: 'inherit' })
  return { script, seconds: Math.round((performance.now() - from) / 1_000), passed: status === 0 }
})

// .ci/run takes these lines over into its own table.
for (const { script, seconds, passed } of results) {
  console.log(`${String(seconds).padStart(6)} s  ${script}${passed ? '' : ': FAILED'}`)
}
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1
