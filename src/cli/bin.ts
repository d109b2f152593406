#!/usr/bin/env node
import { Command } from 'commander'
import { backupCommand } from './commands/backup.ts'
import { deadLettersCommand } from './commands/deadletters.ts'
import { demoCommand } from './commands/demo.ts'
import { doctorCommand } from './commands/doctor.ts'
import { keysCommand } from './commands/keys.ts'
import { loadCommand } from './commands/load.ts'
import { openApiCommand } from './commands/openapi.ts'
import { queryCommand } from './commands/query.ts'
import { restoreCommand } from './commands/restore.ts'
import { sagasCommand } from './commands/sagas.ts'
import { startCommand } from './commands/start.ts'
import { tailCommand } from './commands/tail.ts'
import { topologyCommand } from './commands/topology.ts'
import { examples } from './options.ts'

/** The command line. Exit codes: 0 done, 1 failed or something was rejected, 2 (topology) a start would be refused, 130 stopped with Ctrl-C. */
const program = new Command('splitstream')
  .description('Self-hosted event platform: events in over HTTP, stored exactly once, queried over REST')
  .showHelpAfterError('(--help shows how it is used)')
  .addCommand(startCommand())
  .addCommand(loadCommand())
  .addCommand(demoCommand())
  .addCommand(queryCommand())
  .addCommand(tailCommand())
  .addCommand(keysCommand())
  .addCommand(deadLettersCommand())
  .addCommand(sagasCommand())
  .addCommand(topologyCommand())
  .addCommand(doctorCommand())
  .addCommand(openApiCommand())
  .addCommand(backupCommand())
  .addCommand(restoreCommand())
examples(
  program,
  'splitstream start',
  'splitstream load orders.csv --type order --time-from created_at',
  `splitstream query '{"measures":[{"fn":"count","as":"n"}],"groupBy":["type"]}'`,
)

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`splitstream: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
