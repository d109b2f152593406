/**
 * The engine with one more file of configuration, as a server reads those in its folders: node clickhouse-engine.ts FILE FOLDER SQL. Prints
 * what the statement answers. A process of its own: the engine reads its configuration once.
 */
import { copyFile, mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { baselineArgs, writeEngineConfig } from '../../src/engines/clickhouse/child/config-file.ts'
import { openEngine } from '../../src/engines/clickhouse/child/engine.ts'

const [file, folder, sql] = process.argv.slice(2) as [string, string, string]
const config = writeEngineConfig(folder, 2 ** 30)
await mkdir(join(folder, 'conf.d'))
await copyFile(file, join(folder, 'conf.d', basename(file)))
await mkdir(join(folder, 'data'))
const { bytes } = await openEngine(join(folder, 'data'), config, baselineArgs).connect('check').run(sql, 'JSONEachRow')
process.stdout.write(bytes, () => process.exit())
