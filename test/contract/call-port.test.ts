import { afterAll, beforeAll } from 'vitest'
import { Authority, authorityUnavailable } from '../../src/transports/http/tls/authority.fixture.ts'
import { Held } from '../../src/transports/http/tls/mutual.fixture.ts'
import { describeUnless } from '../support/suite.ts'
import { adapters, overMutualTls } from './adapters.ts'
import { callPortSuite } from './call-port.suite.ts'

for (const [name, join] of adapters) callPortSuite(name, join)

describeUnless(authorityUnavailable, 'with certificates', () => {
  let authority: Authority
  let credentials: Held

  beforeAll(async () => {
    authority = await Authority.create('contract')
    credentials = new Held(await authority.issue({ names: ['IP:127.0.0.1'] }), authority.ca)
  })
  afterAll(() => authority?.close())

  callPortSuite('HTTP over mutual TLS', () => overMutualTls(credentials))
})
