// Addresses and networks as fields of Kubernetes' older kinds have them: what is none, and in whose words it is told.
import { isIP, isIPv4, isIPv6 } from 'node:net'
import { type FieldError, invalid } from '#kube/objects/field-error.ts'

/** A network: an address and how many of its bits are of the network. */
interface Network {
  readonly address: string
  readonly length: number
  readonly family: 'ipv4' | 'ipv6'
}

/** Numbers with zeros in front are addresses to servers before 1.36 alone. */
function withoutZeros(address: string): string {
  return /^[\d.]+$/.test(address) ? address.replaceAll(/(?<=^|\.)0+(?=\d)/g, '') : address
}

/** Whether a text is an address, be it one with needless zeros. */
export function isAddress(text: string): boolean {
  return isIP(withoutZeros(text)) !== 0 && !text.includes('%')
}

/** What is wrong with an address. */
export function addressProblems(place: string, text: string): readonly FieldError[] {
  if (!isAddress(text)) return [invalid(place, text, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)')]
  return [
    ...(isIP(text) === 0 ? [invalid(place, text, 'must not have leading 0s')] : []),
    ...(isMapped(text) ? [invalid(place, text, 'must not be an IPv4-mapped IPv6 address')] : []),
  ]
}

/** Addresses that lead to the host itself, to its link or to nowhere. */
const nowhere: readonly (readonly [network: Network, words: string])[] = [
  [{ address: '0.0.0.0', length: 32, family: 'ipv4' }, 'may not be unspecified (ADDRESS)'],
  [{ address: '::', length: 128, family: 'ipv6' }, 'may not be unspecified (ADDRESS)'],
  [{ address: '127.0.0.0', length: 8, family: 'ipv4' }, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  [{ address: '::1', length: 128, family: 'ipv6' }, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'],
  [{ address: '169.254.0.0', length: 16, family: 'ipv4' }, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
  [{ address: 'fe80::', length: 10, family: 'ipv6' }, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
  [
    { address: '224.0.0.0', length: 24, family: 'ipv4' },
    'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
  ],
  [{ address: 'ff02::', length: 16, family: 'ipv6' }, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'],
]

const nowhereBits = nowhere.flatMap(([{ address, length, family }]) =>
  family === 'ipv4' ? [{ shift: 32 - length, first: bitsOfIpv4(address) >>> (32 - length) }] : [],
)

/** Why an address cannot be one of an endpoint. */
export function endpointAddressProblems(place: string, text: string): readonly FieldError[] {
  const address = withoutZeros(text)
  const plain = address.split('%')[0] ?? ''
  const bits = isIPv4(plain) ? bitsOfIpv4(plain) : undefined
  // Nearly all are of IPv4, and of pods: hundreds are looked at with each change of a Service's endpoints.
  if (bits !== undefined && !nowhereBits.some(({ first, shift }) => bits >>> shift === first)) return []
  return nowhere
    .filter(([network]) => isWithin(plain, network))
    .map(([, words]) => invalid(place, text, words.replace('ADDRESS', address)))
}

/** Whether an address is of the machine itself. */
export function isLoopback(address: string): boolean {
  return address === '::1' || (isIPv4(address) && address.startsWith('127.'))
}

function isMapped(address: string): boolean {
  return isIPv6(address) && isWithin(address, { address: '::ffff:0:0', length: 96, family: 'ipv6' }) && !isIPv4(address)
}

function isWithin(address: string, network: Network): boolean {
  const { length, family } = network
  if (!(family === 'ipv4' ? isIPv4(address) : isIPv6(address))) return false
  if (length === 0) return true
  if (family === 'ipv4') return bitsOfIpv4(address) >>> (32 - length) === bitsOfIpv4(network.address) >>> (32 - length)
  const rest = BigInt(128 - length)
  return numberOf(address, family) >> rest === numberOf(network.address, family) >> rest
}

/** The 32 bits of an address. */
function bitsOfIpv4(address: string): number {
  let [bits, part] = [0, 0]
  for (let at = 0; at < address.length; at++) {
    const digit = address.charCodeAt(at) - 48
    if (digit >= 0) part = part * 10 + digit
    else [bits, part] = [(bits << 8) | part, 0]
  }
  return (bits << 8) | part
}

/** The network that a text says, be it with needless zeros. */
export function networkOf(text: string): Network | undefined {
  const [address = '', length = '', ...more] = text.split('/')
  const plain = withoutZeros(address)
  const family = address.includes('%') ? 0 : isIP(plain)
  const isLength = /^\d+$/.test(length) && Number(length) <= (family === 4 ? 32 : 128)
  if (family === 0 || more.length > 0 || !isLength) return undefined
  return { address: plain, length: Number(length), family: family === 4 ? 'ipv4' : 'ipv6' }
}

/** What is wrong with a network. */
export function networkProblems(place: string, text: string): readonly FieldError[] {
  const network = networkOf(text)
  if (network === undefined) return [invalid(place, text, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)')]
  const [address = '', length = ''] = text.split('/')
  if (address !== network.address || /^0\d/.test(length))
    return [invalid(place, text, 'must not have leading 0s in IP or prefix length')]
  if (isMapped(address)) return [invalid(place, text, 'must not have an IPv4-mapped IPv6 address')]
  return hasFurtherBits(network) ? [invalid(place, text, 'must not have bits set beyond the prefix length')] : []
}

/** Whether the address of a network has bits beyond those of the network. */
function hasFurtherBits({ address, length, family }: Network): boolean {
  const total = family === 'ipv4' ? 32 : 128
  // The next address below is of the network as well, unless the address is the first of it.
  const value = numberOf(address, family)
  return (value & ((1n << BigInt(total - length)) - 1n)) !== 0n
}

function numberOf(address: string, family: Network['family']): bigint {
  if (family === 'ipv4') return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n)
  const [head = '', tail] = groupsOnly(address).split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const [first, last] = [groups(head), groups(tail ?? '')]
  const filled = tail === undefined ? first : [...first, ...Array<string>(8 - first.length - last.length).fill('0'), ...last]
  return filled.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n)
}

/** An IPv6 address that ends as one of IPv4, in groups alone. */
function groupsOnly(address: string): string {
  const dotted = /[\d.]+$/.exec(address)?.[0] ?? ''
  if (!dotted.includes('.')) return address
  const value = numberOf(dotted, 'ipv4')
  return `${address.slice(0, -dotted.length)}${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`
}

/** Whether all of one network is of another, larger one. */
export function isStrictlyWithin(inner: Network, outer: Network): boolean {
  return inner.family === outer.family && inner.length > outer.length && isWithin(inner.address, outer)
}
