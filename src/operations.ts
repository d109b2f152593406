import type { Operations } from '@splitstream/kernel'
import { backupOperations } from './backup/operations.ts'
import { keyOperations } from './edge/keys/key-operations.ts'
import { documentOperations } from './edge/openapi/document-route.ts'
import { opsOperations } from './edge/ops-operations.ts'
import { logOperations } from './log-operations.ts'
import { describe, moduleNames } from './registry.ts'
import { topologyOperations } from './topology-operation.ts'

/** Every public operation of the product, whichever process serves it. Loads the code of all modules. */
export async function allOperations(): Promise<Operations> {
  const ofModules = await Promise.all(moduleNames.map((name): Promise<Operations> => describe[name]()))
  const ofProcesses = [
    keyOperations,
    topologyOperations,
    logOperations,
    backupOperations,
    opsOperations,
    documentOperations,
  ]
  const all: Record<string, Operations[string]> = {}
  for (const [id, operation] of [...ofModules, ...ofProcesses].flatMap((some) => Object.entries(some))) {
    if (Object.hasOwn(all, id)) throw new TypeError(`there are two operations ${id}`)
    all[id] = operation
  }
  return all
}
