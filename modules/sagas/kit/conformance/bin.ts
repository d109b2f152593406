import { readFile } from 'node:fs/promises'
import { conformanceReport, parseConformance, runConformance } from './index.ts'

/** The conformance test as a program: `bin.ts <file>`. Exit codes: 0 all cases passed, 1 one failed, 2 wrong use. */
async function main([file]: readonly string[]): Promise<number> {
  if (file === undefined) throw new Error('the file is missing that describes the participant (docs/participants.md)')
  const results = await runConformance(parseConformance(JSON.parse(await readFile(file, 'utf8'))))
  process.stdout.write(conformanceReport(results))
  return results.every(({ passed }) => passed) ? 0 : 1
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}
