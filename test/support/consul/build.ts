/* Builds Consul, in the version of go.mod, from its source: for the tests, where the machine has none. Takes some minutes with Go. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { madeOnce } from '../made-once.ts'
import { builtConsul } from './program.ts'

const source = fileURLToPath(new URL('.', import.meta.url))

const folder = await madeOnce(builtConsul(), async (draft) => {
  const options = { cwd: source, timeout: 1_200_000, maxBuffer: 64 << 20 }
  await promisify(execFile)('go', ['build', '-o', join(draft, 'consul'), 'github.com/hashicorp/consul'], options)
})
console.log(join(folder, 'consul'))
