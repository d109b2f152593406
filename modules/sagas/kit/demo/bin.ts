import { parseArgs } from 'node:util'
import { startStubParticipants } from './index.ts'

const help = `Payments, stock and shipping of the demo saga "order" (order.json), as a program.

  node modules/sagas/kit/demo/bin.ts [--host 127.0.0.1] [--port 8090] [--file LEDGER.db]

GET /ledger shows what they did. Without --file it is kept in memory. Ends at SIGTERM or SIGINT.
Exit codes: 0 asked to stop, 1 failed, 2 wrong use.`

const { values } = options()
if (values.help) {
  process.stdout.write(`${help}\n`)
} else {
  const { host, file } = values
  const port = Number(values.port)
  const stubs = await startStubParticipants({ host, port, ...(file !== undefined && { file }) })
  process.stdout.write(`Payments, stock and shipping listen at ${stubs.url}\n`)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stubs.close())
}

function options() {
  try {
    return parseArgs({
      options: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string', default: '8090' },
        file: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}\n`)
    process.exit(2)
  }
}
