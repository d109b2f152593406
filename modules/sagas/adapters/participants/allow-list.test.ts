import { describe, expect, it } from 'vitest'
import { parseAllowList } from './allow-list.ts'
import { createEgress } from './egress.ts'

describe('an allow-list', () => {
  it.each([
    ['127.0.0.1:9001', '127.0.0.1', 9001, true],
    ['127.0.0.1:9001', '127.0.0.1', 9002, false],
    ['127.0.0.1:9001', '::ffff:127.0.0.1', 9001, true],
    ['127.0.0.1', '127.0.0.1', 1, true],
    ['127.0.0.1', '127.0.0.2', 1, false],
    ['10.0.0.0/8', '10.255.0.1', 443, true],
    ['10.0.0.0/8', '11.0.0.1', 443, false],
    ['10.0.0.0/8:443', '10.0.0.1', 443, true],
    ['10.0.0.0/8:443', '10.0.0.1', 80, false],
    ['[::1]', '::1', 80, true],
    ['[::1]:80', '::1', 81, false],
    ['::1', '::1', 80, true],
    ['fd00::/8', 'fd12::1', 80, true],
    ['[fd00::/8]:80', 'fd12::1', 80, true],
    ['[fd00::/8]:80', 'fd12::1', 81, false],
    ['169.254.169.254', '169.254.169.254', 80, true],
  ])('with %s: %s at port %i is %s', (entry, address, port, expected) => {
    expect(parseAllowList([entry]).hasAddress(address, port)).toBe(expected)
  })

  it.each([
    ['payments.internal', 'payments.internal', 443, true],
    ['payments.internal', 'payments.internal.', 443, true],
    ['Payments.Internal.', 'payments.internal', 443, true],
    ['payments.internal', 'x.payments.internal', 443, false],
    ['payments.internal:8080', 'payments.internal', 8080, true],
    ['payments.internal:8080', 'payments.internal', 443, false],
    ['*.svc.cluster.local', 'a.b.svc.cluster.local', 80, true],
    ['*.svc.cluster.local', 'svc.cluster.local', 80, false],
    ['*.svc.cluster.local', 'evilsvc.cluster.local', 80, false],
    ['*.svc.cluster.local:80', 'a.svc.cluster.local', 81, false],
    ['bücher.example', 'xn--bcher-kva.example', 443, true],
    ['localhost', 'localhost', 1, true],
    ['my_service', 'my_service', 1, true],
  ])('with %s: the name %s at port %i is %s', (entry, name, port, expected) => {
    expect(parseAllowList([entry]).hasName(name, port)).toBe(expected)
  })

  it.each([
    ...['', ' ', 'a b', 'http://x', 'x/8', 'x/y', 'a..b', '*', '*.', '*.*.x', 'a.*', 'user@x', 'x?y', 'x#y', 'x\\y'],
    ...['x:0', 'x:70000', 'x:', 'x:y', '10.0.0.0/33', '10.0.0.0/', '10.1', '2130706433', '0x7f.1', '127.0.0.1:0'],
    ...['[::1', '::1/129', '[::1]:', '[::1]x', '[x]', '[127.0.0.1/33]', '[fe80::1%lo]', '10.0.0.0/8:80:90', ':80'],
  ])('does not take %j, and names the setting and what is legal', (entry) => {
    expect(() => parseAllowList(['10.0.0.1', entry])).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(/^SAGA_ALLOW_PRIVATE: found ".*"; legal is an address/),
      }),
    )
  })
})

describe('where calls may go', () => {
  const at = (host: string, tls = true, port = 443) => ({ host, port, tls })

  it('is the internet over TLS, by default', () => {
    const { permits } = createEgress({ allow: [] })
    expect(permits(at('example.com'), '93.184.215.14')).toBe(true)
    expect(permits(at('example.com'), '2606:2800:21f:cb07:6820:80da:af6b:8b2c')).toBe(true)
    // The way of IPv6-only networks to the same host.
    expect(permits(at('example.com'), '64:ff9b::5db8:d70e')).toBe(true)
    expect(permits(at('example.com', false), '93.184.215.14')).toBe(false)
    expect(permits(at('example.com'), '10.0.0.1')).toBe(false)
  })

  it('is a listed name wherever it leads, but not to special addresses', () => {
    const { permits } = createEgress({ allow: ['payments.internal'] })
    for (const address of [
      '10.0.0.1',
      '127.0.0.1',
      '::1',
      'fd00::1',
      '100.64.0.1',
      '93.184.215.14',
      '::ffff:10.0.0.1',
    ]) {
      expect(permits(at('payments.internal', false), address), address).toBe(true)
      expect(permits(at('other.internal', false), address), address).toBe(false)
    }
    const credentials = [
      '169.254.169.254',
      '::ffff:169.254.169.254',
      'fd00:ec2::254',
      '100.100.100.200',
      '168.63.129.16',
    ]
    for (const address of [...credentials, '0.0.0.0', '::', 'fe80::1', '224.0.0.1', '64:ff9b::a9fe:a9fe', '']) {
      expect(permits(at('payments.internal', false), address), address).toBe(false)
    }
  })

  it('is a listed address, by any name and without TLS', () => {
    const { permits } = createEgress({ allow: ['10.0.0.0/8:443', '169.254.169.254'] })
    expect(permits(at('any.internal', false), '10.1.2.3')).toBe(true)
    expect(permits(at('any.internal', false, 80), '10.1.2.3')).toBe(false)
    expect(permits(at('169.254.169.254'), '169.254.169.254')).toBe(true)
  })

  it('can be limited to ports; listed hosts are not', () => {
    const { permits } = createEgress({ allow: ['10.0.0.1'], ports: [443, 8443] })
    expect(permits(at('example.com', true, 8443), '93.184.215.14')).toBe(true)
    expect(permits(at('example.com', true, 22), '93.184.215.14')).toBe(false)
    expect(permits(at('10.0.0.1', true, 22), '10.0.0.1')).toBe(true)
  })
})
