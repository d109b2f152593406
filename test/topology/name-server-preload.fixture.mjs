/*
 * Loaded into a server before anything else (NODE_OPTIONS=--import): the system's name server is the one at NAME_SERVER, as if
 * /etc/resolv.conf said so. Everything else is the real process.
 */
import dns from 'node:dns/promises'
import { syncBuiltinESMExports } from 'node:module'

const { Resolver } = dns
dns.Resolver = class extends Resolver {
  constructor(options) {
    super(options)
    this.setServers([process.env.NAME_SERVER])
  }
}
syncBuiltinESMExports()
