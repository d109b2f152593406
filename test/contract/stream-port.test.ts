import { localAdapters } from './logs.ts'
import { streamPortSuite } from './stream-port.suite.ts'

for (const [name, open] of localAdapters) streamPortSuite(name, open)
