// Which addresses of others are believed. A neighbour may say anything: what it says of third parties must not lead out of the cluster.
import { BlockList, isIP } from 'node:net'
import type { Parsed } from '#kube/problem.ts'
import { type Address, isLoopback, isSameAddress, readAddress } from './address.ts'

/** Addresses of one peer that are looked at; more are left out. */
export const mostAddressesOfAPeer = 64

const privateNetworks: readonly (readonly [string, number, 'ipv4' | 'ipv6'])[] = [
  ['10.0.0.0', 8, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['fc00::', 7, 'ipv6'],
]
const notAHost = new BlockList()
notAHost.addSubnet('0.0.0.0', 8, 'ipv4')
notAHost.addSubnet('169.254.0.0', 16, 'ipv4')
notAHost.addSubnet('224.0.0.0', 3, 'ipv4')
notAHost.addSubnet('::', 128, 'ipv6')
notAHost.addSubnet('fe80::', 10, 'ipv6')
notAHost.addSubnet('ff00::', 8, 'ipv6')

export interface AddressRules {
  /** Networks of pods and nodes where they are known: nothing else is believed then. */
  readonly networks: BlockList | undefined
  /** Our own router is bound to loopback: several agents on one machine. */
  readonly acceptsLoopback: boolean
  /** Own addresses: nobody else is there. */
  readonly own: () => readonly Address[]
}

/** The networks of `cidrs`, `undefined` for none. */
export function networksOf(cidrs: readonly string[], where: string): Parsed<BlockList | undefined> {
  const list = new BlockList()
  for (const [index, cidr] of cidrs.entries()) {
    const [ip = '', bits] = cidr.split('/')
    const family = isIP(ip)
    const length = Number(bits)
    if (family === 0 || !/^[0-9]{1,3}$/.test(bits ?? '') || length > (family === 4 ? 32 : 128)) {
      const problem = {
        code: 'cidr-syntax',
        where: `${where}[${index}]`,
        found: cidr,
        expected: 'a network such as 10.42.0.0/16',
      }
      return { ok: false, problem }
    }
    list.addSubnet(ip, length, family === 4 ? 'ipv4' : 'ipv6')
  }
  return { ok: true, value: cidrs.length === 0 ? undefined : list }
}

const privateList = new BlockList()
for (const [network, length, family] of privateNetworks) privateList.addSubnet(network, length, family)

const typeOf = ({ family }: Address): 'ipv4' | 'ipv6' => (family === 4 ? 'ipv4' : 'ipv6')

/** Whether an address that somebody tells is one to dial. */
function isBelieved(rules: AddressRules, address: Address): boolean {
  if (isLoopback(address.ip)) return rules.acceptsLoopback && !rules.own().some(own => isSameAddress(own, address))
  // An IPv4 address in IPv6's clothes is nobody's, and a list of IPv6 networks would not know it.
  if (address.ip.startsWith('::ffff:') || notAHost.check(address.ip, typeOf(address))) return false
  if (rules.own().some(own => isSameAddress(own, address))) return false
  return (rules.networks ?? privateList).check(address.ip, typeOf(address))
}

/** Those of a record's addresses that are believed, each once, IPv6 first. */
export function believedAddresses(rules: AddressRules, addresses: readonly Uint8Array[]): readonly Address[] {
  const kept: Address[] = []
  for (const bytes of addresses.slice(0, mostAddressesOfAPeer)) {
    const address = readAddress(bytes)
    if (address === undefined || !isBelieved(rules, address)) continue
    if (!kept.some(other => isSameAddress(other, address))) kept.push(address)
  }
  return kept.toSorted((left, right) => right.family - left.family)
}
