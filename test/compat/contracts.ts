/*
 * What processes of two versions promise each other, against how it is written down in this folder: contracts of call ports,
 * codes of errors, records of the log. A change that would break a process of the version before fails; one that only adds has to
 * be written down: node test/compat/contracts.ts --write
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ingestAppendPort } from '@splitstream/ingest/contract'
import type { CallPort, MethodDescription } from '@splitstream/kernel'
import { storageReadPort } from '@splitstream/storage/contract'
import ts from 'typescript'
import { breaks, type Contracts, type MethodShape } from './additive.ts'
import { codeBreaks, readCodes } from './codes.ts'
import { readRecords, recordBreaks } from './records.ts'
import { shapeOf } from './shape.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Each port with the file and the interface that describe it. */
const ports: readonly (readonly [CallPort<object>, string, string])[] = [
  [ingestAppendPort as CallPort<object>, 'modules/ingest/contract/ports.ts', 'IngestAppend'],
  [storageReadPort as CallPort<object>, 'modules/storage/contract/ports.ts', 'StorageRead'],
]

export function readContracts(): Contracts {
  const { config } = ts.readConfigFile(`${root}tsconfig.base.json`, ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  const program = ts.createProgram(
    ports.map(([, file]) => root + file),
    { ...options, noEmit: true, composite: false, incremental: false },
  )
  const checker = program.getTypeChecker()
  return Object.fromEntries(
    ports.map(([port, file, name]) => {
      const source = program.getSourceFile(root + file)
      const node = source?.statements.find((one) => ts.isInterfaceDeclaration(one) && one.name.text === name)
      if (!node) throw new Error(`${file} has no interface ${name}`)
      const methods = checker
        .getTypeAtLocation(node)
        .getProperties()
        .map((method) => [method.name, methodShape(port, method, checker)] as const)
      return [port.name, { version: port.version, methods: Object.fromEntries(methods) }]
    }),
  )
}

function methodShape(port: CallPort<object>, method: ts.Symbol, checker: ts.TypeChecker): MethodShape {
  const [signature] = checker.getTypeOfSymbol(method).getCallSignatures()
  const [input] = signature?.getParameters() ?? []
  const output = signature && checker.getAwaitedType(signature.getReturnType())
  if (!input || !output) throw new Error(`${port.name}.${method.name} is no method of a port`)
  const { idempotent, streams = false } = (port.methods as Record<string, MethodDescription>)[method.name]!
  const at = `${port.name}.${method.name}`
  const shape = shapeOf(output, checker, at)
  if (streams !== 'stream' in shape)
    throw new Error(`${at} is described as what it is not: ${streams ? 'a' : 'no'} stream`)
  return { idempotent, streams, input: shapeOf(checker.getTypeOfSymbol(input), checker, at), output: shape }
}

/** What is promised, where that is written down, and what of it as it is now would break a process of before. */
interface Snapshot<T> {
  readonly what: string
  readonly file: string
  readonly now: T
  readonly breaks: (before: T, now: T) => string[]
}

export const readPromised = <T>(file: string): T =>
  JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as T

/** @returns whether all is as promised, or was written down */
function check<T>({ what, file, now, breaks }: Snapshot<T>): boolean {
  const [first, write] = [process.argv.includes('--first'), process.argv.includes('--write')]
  const place = new URL(file, import.meta.url)
  const text = `${JSON.stringify(now, null, 2)}\n`
  const broken = first ? [] : breaks(readPromised<T>(file), now)
  for (const reason of broken) console.error(`breaks the version before: ${reason}`)
  if (broken.length > 0) {
    console.error(
      `${what}: within a major version they only grow. Keep what was promised, or raise the version of the port or the record.`,
    )
    return false
  }
  if (first || write) writeFileSync(place, text)
  else if (text !== readFileSync(place, 'utf8')) {
    console.error(`${what} have grown. Write it down: node test/compat/contracts.ts --write`)
    return false
  }
  console.log(`${what} are as promised`)
  return true
}

if (import.meta.main) {
  const good = [
    check({ what: 'contracts of call ports', file: 'contracts.json', now: readContracts(), breaks }),
    check({ what: 'codes of errors', file: 'codes.json', now: readCodes(), breaks: codeBreaks }),
    check({ what: 'records of the log', file: 'records.json', now: await readRecords(), breaks: recordBreaks }),
  ]
  if (good.includes(false)) process.exitCode = 1
}
