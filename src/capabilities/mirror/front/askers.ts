// Who may ask on containerd's ports: this node, anybody, or those of some networks.
import { BlockList, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Clock } from '#kube/clock.ts'
import { InputError, type Problem } from '#kube/problem.ts'

export interface Askers {
  /** `remote` as sockets have it; IPv4 may come as IPv6. */
  may(remote: string | undefined): boolean
}

/** How long the node's own addresses are kept before they are read again for an address that is not among them. */
const freshMs = 1_000

/** @throws InputError naming each entry that is no network */
export function askersOf(
  allowed: 'node' | 'any' | readonly string[],
  around: { readonly clock: Clock; readonly ownAddresses?: () => ReadonlySet<string> },
): Askers {
  if (allowed === 'any') return { may: () => true }
  if (allowed === 'node') return new NodeItself(around.clock, around.ownAddresses ?? addressesOfNode)
  const networks = networksOf(allowed)
  return {
    may(remote) {
      const address = plainAddress(remote)
      const family = isIP(address)
      return family !== 0 && networks.check(address, family === 6 ? 'ipv6' : 'ipv4')
    },
  }
}

class NodeItself implements Askers {
  readonly #clock: Clock
  readonly #read: () => ReadonlySet<string>
  #own: ReadonlySet<string>
  #readMs: number

  constructor(clock: Clock, read: () => ReadonlySet<string>) {
    this.#clock = clock
    this.#read = read
    this.#own = read()
    this.#readMs = clock.elapsed()
  }

  may(remote: string | undefined): boolean {
    const address = plainAddress(remote)
    if (this.#own.has(address) || isLoopback(address)) return true
    // Addresses come while we run: a node's second one, the CNI's.
    if (this.#clock.elapsed() - this.#readMs < freshMs) return false
    this.#own = this.#read()
    this.#readMs = this.#clock.elapsed()
    return this.#own.has(address)
  }
}

/** All of this node's own, IPv4 as such and IPv6 without a zone. */
export function addressesOfNode(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
  return new Set(all.map(({ address }) => plainAddress(address)))
}

const isLoopback = (address: string): boolean => address === '::1' || /^127\./.test(address)

/** Without the zone of a link-local one; IPv4 as such. */
function plainAddress(remote: string | undefined): string {
  return (remote ?? '').replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '')
}

function networksOf(texts: readonly string[]): BlockList {
  const networks = new BlockList()
  const problems = texts.flatMap((text, index): Problem[] => {
    const problem = add(networks, text)
    return problem === undefined ? [] : [{ code: 'network-syntax', where: `allowFrom[${index}]`, found: text, expected: problem }]
  })
  if (problems.length > 0) throw new InputError(problems)
  return networks
}

const wanted = 'a network such as "10.0.0.0/8" or "fd00::/8", or an address'

function add(networks: BlockList, text: string): string | undefined {
  const [address = '', bits, ...more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || more.length > 0) return wanted
  const most = family === 6 ? 128 : 32
  const prefix = bits === undefined ? most : Number(bits)
  if (bits !== undefined && (!/^\d{1,3}$/.test(bits) || prefix > most)) return wanted
  networks.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4')
  return undefined
}
