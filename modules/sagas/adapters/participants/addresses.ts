import { BlockList, isIP } from 'node:net'

/** Of IPv4, what is not for everybody: the special-purpose registry of IANA, multicast, and Azure's host on a public address. */
const special4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]

/** NAT64 is the only way to an IPv4 host from some networks. Its last 32 bits are that host. */
const nat64 = '64:ff9b::'

/** IPv6 addresses are given out of 2000::/3. All else is refused: IPv4-compatible, site-local and what will be invented. */
const given6 = ['2000::/3', `${nat64}/96`, '::ffff:0:0/96']

/** Of these, protocol assignments (Teredo among them), documentation and 6to4, which lead to an IPv4 host that is not seen. */
const special6 = [
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  ...special4.map((subnet) => {
    const [address, bits] = subnet.split('/')
    return `${nat64}${address}/${96 + Number(bits)}`
  }),
]

/** What a listed name may lead to besides global addresses. */
const internal = listOf(
  ['10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
  ['::1/128', 'fc00::/7'],
)
/** Where clouds hand out the credentials of the machine, outside of link-local addresses. */
const metadata = listOf(['100.100.100.200/32'], ['fd00:ec2::254/128'])

const special = listOf(special4, special6)
const given = listOf([], given6)

/** Whether it is an address of the internet: any other is in here, or nowhere. IPv4 inside IPv6 is looked at as IPv4. */
export function isGlobal(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !special.check(address, 'ipv4')
  return family === 6 && given.check(address, 'ipv6') && !special.check(address, 'ipv6')
}

/** Whether it is an address of a private network or of this machine, and no cloud's metadata service. */
export function isInternal(address: string): boolean {
  return isListed(internal, address) && !isListed(metadata, address)
}

/** False for what is no address. */
export function isListed(list: BlockList, address: string): boolean {
  const family = isIP(address)
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

function listOf(subnets4: readonly string[], subnets6: readonly string[]): BlockList {
  const list = new BlockList()
  const add = (subnet: string, family: 'ipv4' | 'ipv6'): void => {
    const [address = '', bits] = subnet.split('/')
    list.addSubnet(address, Number(bits), family)
  }
  for (const subnet of subnets4) add(subnet, 'ipv4')
  for (const subnet of subnets6) add(subnet, 'ipv6')
  return list
}
