/*
 * The contracts of all call ports against test/compat/contracts.json, the contracts as they are promised. A change that would
 * break a process of the version before fails; one that only adds has to be written down: node test/compat/contracts.ts --write
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ingestAppendPort } from '@splitstream/ingest/contract'
import type { CallPort, MethodDescription } from '@splitstream/kernel'
import { storageReadPort } from '@splitstream/storage/contract'
import ts from 'typescript'
import { breaks, type Contracts, type MethodShape } from './additive.ts'
import { shapeOf } from './shape.ts'

const promised = new URL('./contracts.json', import.meta.url)
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
  const { idempotent } = (port.methods as Record<string, MethodDescription>)[method.name]!
  const at = `${port.name}.${method.name}`
  return {
    idempotent,
    input: shapeOf(checker.getTypeOfSymbol(input), checker, at),
    output: shapeOf(output, checker, at),
  }
}

export const readPromised = (): Contracts => JSON.parse(readFileSync(promised, 'utf8')) as Contracts

if (import.meta.main) {
  const now = readContracts()
  const text = `${JSON.stringify(now, null, 2)}\n`
  const first = process.argv.includes('--first')
  const before = first ? {} : readPromised()
  const broken = breaks(before, now)
  for (const reason of broken) console.error(`breaks the version before: ${reason}`)
  if (broken.length > 0) {
    console.error(
      'Within a major version contracts only grow: keep what was promised, or raise the version of the port.',
    )
    process.exitCode = 1
  } else if (process.argv.includes('--write') || first) writeFileSync(promised, text)
  else if (text !== readFileSync(promised, 'utf8')) {
    console.error('The contracts have grown. Write it down: node test/compat/contracts.ts --write')
    process.exitCode = 1
  } else console.log(`${Object.keys(now).length} contracts are as promised`)
}
