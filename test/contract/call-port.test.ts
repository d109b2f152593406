import { adapters } from './adapters.ts'
import { callPortSuite } from './call-port.suite.ts'

for (const [name, join] of adapters) callPortSuite(name, join)
