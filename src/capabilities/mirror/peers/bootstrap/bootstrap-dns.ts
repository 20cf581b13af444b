// Bootstrap by the names service: A and AAAA of a headless Service. Ids are not known, so they are taken from the handshake.
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { addressBytes, type Contact, parseContact } from '../address.ts'
import type { Bootstrap } from './bootstrap-way.ts'

/** Addresses of each family that are tried. */
const mostOfAFamily = 3

/** Names to addresses, one family: as `node:dns` does it. */
type Resolve = (name: string, family: 4 | 6) => Promise<readonly string[]>

/** As all programs of the machine resolve names: with its hosts file and search list. Cannot be cancelled; the router limits each try. */
const systemResolve: Resolve = async (name, family) => (await lookup(name, { family, all: true })).map(({ address }) => address)

/** Fails only where both families fail. */
export function dnsBootstrap(domain: string, routerPort: number, resolve: Resolve = systemResolve): Bootstrap {
  return {
    async find() {
      const answers = await Promise.allSettled([resolve(domain, 4), resolve(domain, 6)])
      const failures = answers.flatMap(answer => (answer.status === 'rejected' ? [answer.reason] : []))
      if (failures.length === answers.length) {
        throw new Error(`${domain} has no address`, { cause: failures[0] })
      }
      return answers.flatMap(answer => (answer.status === 'fulfilled' ? firstOf(answer.value, routerPort) : []))
    },
  }
}

/** Sorted, so that all nodes begin with the same ones. */
function firstOf(ips: readonly string[], port: number): readonly Contact[] {
  return ips
    .filter(ip => isIP(ip) !== 0)
    .flatMap(ip => {
      const parsed = parseContact(ip, port, 'dns')
      const address = parsed.ok ? parsed.value.addresses[0] : undefined
      return parsed.ok && address !== undefined ? [{ contact: parsed.value, bytes: addressBytes(address) }] : []
    })
    .toSorted((left, right) => Buffer.compare(left.bytes, right.bytes))
    .slice(0, mostOfAFamily)
    .map(({ contact }) => contact)
}
