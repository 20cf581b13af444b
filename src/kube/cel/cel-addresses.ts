// Addresses and networks of Kubernetes' CEL libraries. Which texts are some, and the words for those that are none, are those of
// Go's net/netip; an address in a mapped form (`::ffff:1.2.3.4`) or with a zone is refused by the library itself.
import { CelError } from './cel-syntax.ts'
import { CelValue } from './cel-values.ts'

interface Address {
  readonly bits: 32 | 128
  readonly value: bigint
  readonly zone: string
}

/** What is wrong with a text as an address, without the text itself. */
class NoAddress extends Error {}

const quoted = (text: string) => JSON.stringify(text)

function refused(problem: string, rest?: string): never {
  throw new NoAddress(rest === undefined ? problem : `${problem} (at ${quoted(rest)})`)
}

/** The address that a text says. @throws NoAddress */
function parseAddress(text: string): Address {
  const mark = /[.:%]/.exec(text)?.[0]
  if (mark === '.') return { bits: 32, value: parseDotted(text), zone: '' }
  if (mark === ':') return parseGroups(text)
  return refused(mark === '%' ? 'missing IPv6 address' : 'unable to parse IP')
}

/** The value of four numbers with dots between. @throws NoAddress */
function parseDotted(text: string): bigint {
  let value = 0n
  let dots = 0
  let digits = ''
  for (const [at, character] of [...text].entries()) {
    if (/\d/.test(character)) {
      if (digits === '0') refused('IPv4 field has octet with leading zero')
      digits += character
      if (Number(digits) > 255) refused('IPv4 field has value >255')
    } else if (character === '.') {
      if (digits === '' || at === text.length - 1) refused('IPv4 field must have at least one digit', text.slice(at))
      if (dots === 3) refused('IPv4 address too long')
      value = (value << 8n) | BigInt(digits)
      dots++
      digits = ''
    } else refused('unexpected character', text.slice(at))
  }
  if (dots < 3) refused('IPv4 address too short')
  return (value << 8n) | BigInt(digits)
}

const groupsOfAddress = 8

/** @throws NoAddress */
function parseGroups(text: string): Address {
  const percent = text.indexOf('%')
  const zone = percent === -1 ? '' : text.slice(percent + 1)
  if (percent !== -1 && zone === '') refused('zone must be a non-empty string')
  let rest = percent === -1 ? text : text.slice(0, percent)
  const groups: bigint[] = []
  let gap = -1
  if (rest.startsWith('::')) {
    gap = 0
    rest = rest.slice(2)
  }
  while (rest !== '' && groups.length < groupsOfAddress) {
    const [digits = ''] = /^[0-9a-f]*/i.exec(rest) ?? []
    if (digits.length > 4) refused('each group must have 4 or less digits', rest)
    if (digits === '') refused('each colon-separated field must have at least one digit', rest)
    if (rest[digits.length] === '.') {
      if (gap < 0 && groups.length !== groupsOfAddress - 2)
        refused('embedded IPv4 address must replace the final 2 fields of the address', rest)
      if (groups.length > groupsOfAddress - 2)
        refused('too many hex fields to fit an embedded IPv4 at the end of the address', rest)
      const dotted = parseDotted(rest)
      groups.push(dotted >> 16n, dotted & 0xffffn)
      rest = ''
      break
    }
    groups.push(BigInt(`0x${digits}`))
    rest = rest.slice(digits.length)
    if (rest === '') break
    if (!rest.startsWith(':')) refused('unexpected character, want colon', rest)
    if (rest === ':') refused('colon must be followed by more characters', rest)
    rest = rest.slice(1)
    if (rest.startsWith(':')) {
      if (gap >= 0) refused('multiple :: in address', rest)
      gap = groups.length
      rest = rest.slice(1)
    }
  }
  if (rest !== '') refused('trailing garbage after address', rest)
  if (groups.length < groupsOfAddress && gap < 0) refused('address string too short')
  if (groups.length === groupsOfAddress && gap >= 0) refused('the :: must expand to at least one field of zeros')
  if (gap >= 0) groups.splice(gap, 0, ...Array.from({ length: groupsOfAddress - groups.length }, () => 0n))
  return { bits: 128, value: groups.reduce((value, group) => (value << 16n) | group, 0n), zone }
}

function isMapped({ bits, value }: Address): boolean {
  return bits === 128 && value >> 32n === 0xffffn
}

function addressText({ bits, value }: Address): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map(shift => (value >> shift) & 0xffn).join('.')
  const groups = Array.from({ length: groupsOfAddress }, (_, at) => (value >> BigInt(112 - at * 16)) & 0xffffn)
  const words = groups.map(group => group.toString(16))
  // The longest run of zeros is left out, the first of equally long ones; a single zero stays.
  let run = { from: 0, length: 1 }
  for (const from of words.keys()) {
    const found = words.findIndex((word, at) => at >= from && word !== '0')
    const length = (found === -1 ? groupsOfAddress : found) - from
    if (length > run.length) run = { from, length }
  }
  if (run.length === 1) return words.join(':')
  return `${words.slice(0, run.from).join(':')}::${words.slice(run.from + run.length).join(':')}`
}

/** What is wrong with a text as the host of a URL in brackets: such a host is an address of IPv6, with a zone or without. */
export function bracketProblem(text: string): string | undefined {
  try {
    return parseAddress(text).bits === 32 ? 'invalid IP-literal' : undefined
  } catch (error) {
    if (error instanceof NoAddress) return `invalid host: ParseAddr(${quoted(text)}): ${error.message}`
    throw error
  }
}

/** Whether `make` makes something, and does not end in an error of CEL. */
export function isCel(make: () => CelValue): boolean {
  try {
    make()
    return true
  } catch (error) {
    if (error instanceof CelError) return false
    throw error
  }
}

/** The words of a refusal by `parse`, which gives an address or throws {@link NoAddress}. @throws CelError */
function orCelError<Found>(parse: () => Found, words: (problem: string) => string): Found {
  try {
    return parse()
  } catch (error) {
    if (error instanceof NoAddress) throw new CelError(words(error.message))
    throw error
  }
}

export class CelAddress extends CelValue {
  readonly typeName = 'net.IP'
  readonly address: Address

  constructor(address: Address) {
    super()
    this.address = address
  }

  /** @throws CelError where `text` is no address */
  static of(text: string): CelAddress {
    const address = orCelError(
      () => parseAddress(text),
      problem => `IP Address ${quoted(text)} parse error during conversion from string: ParseAddr(${quoted(text)}): ${problem}`,
    )
    if (address.zone !== '') throw new CelError(`IP address ${quoted(text)} with zone value is not allowed`)
    if (isMapped(address)) throw new CelError(`IPv4-mapped IPv6 address ${quoted(text)} is not allowed`)
    return new CelAddress(address)
  }

  get text(): string {
    return addressText(this.address)
  }

  isSameAs(other: unknown): boolean {
    return other instanceof CelAddress && other.address.bits === this.address.bits && other.address.value === this.address.value
  }

  call(name: string): unknown {
    switch (name) {
      case 'family':
        return this.address.bits === 32 ? 4 : 6
      case 'isUnspecified':
        return this.address.value === 0n
      case 'isLoopback':
        return this.#isIn('127.0.0.0/8', '::1/128')
      case 'isLinkLocalMulticast':
        return this.#isIn('224.0.0.0/24', undefined) || this.#isLocalGroup()
      case 'isLinkLocalUnicast':
        return this.#isIn('169.254.0.0/16', 'fe80::/10')
      case 'isGlobalUnicast':
        return !(
          this.#isIn('0.0.0.0/32', '::/128') ||
          this.#isIn('255.255.255.255/32', undefined) ||
          this.#isIn('127.0.0.0/8', '::1/128') ||
          this.#isIn('224.0.0.0/4', 'ff00::/8') ||
          this.#isIn('169.254.0.0/16', 'fe80::/10')
        )
      default:
        return undefined
    }
  }

  #isIn(four: string, six: string | undefined): boolean {
    const network = this.address.bits === 32 ? four : six
    return network !== undefined && CelNetwork.of(network).contains(this.address)
  }

  /** Multicast of IPv6 whose scope is the link: `ff02::`, with any flags. */
  #isLocalGroup(): boolean {
    return this.address.bits === 128 && ((this.address.value >> 112n) & 0xff0fn) === 0xff02n
  }
}

export class CelNetwork extends CelValue {
  readonly typeName = 'net.CIDR'
  readonly #address: Address
  readonly #length: number

  private constructor(address: Address, length: number) {
    super()
    this.#address = address
    this.#length = length
  }

  /** @throws CelError where `text` is no network */
  static of(text: string): CelNetwork {
    const twice = 'network address parse error during conversion from string: '
    const network = orCelError(
      () => CelNetwork.#parse(text),
      problem => `${twice}${twice}netip.ParsePrefix(${quoted(text)}): ${problem}`,
    )
    if (isMapped(network.#address)) throw new CelError(`${twice}IPv4-mapped IPv6 address ${quoted(text)} is not allowed`)
    return network
  }

  /** @throws NoAddress */
  static #parse(text: string): CelNetwork {
    const slash = text.lastIndexOf('/')
    if (slash < 0) refused("no '/'")
    const [front, bits] = [text.slice(0, slash), text.slice(slash + 1)]
    let address: Address
    try {
      address = parseAddress(front)
    } catch (error) {
      return error instanceof NoAddress ? refused(`ParseAddr(${quoted(front)}): ${error.message}`) : refused(String(error))
    }
    if (address.zone !== '') refused('IPv6 zones cannot be present in a prefix')
    if (!/^(\d|[1-9]\d*)$/.test(bits)) refused(`bad bits after slash: ${quoted(bits)}`)
    if (Number(bits) > address.bits) refused('prefix length out of range')
    return new CelNetwork(address, Number(bits))
  }

  get text(): string {
    return `${addressText(this.#address)}/${this.#length}`
  }

  isSameAs(other: unknown): boolean {
    return other instanceof CelNetwork && other.text === this.text
  }

  contains(address: Address): boolean {
    const rest = BigInt(this.#address.bits - this.#length)
    return address.bits === this.#address.bits && address.value >> rest === this.#address.value >> rest
  }

  call(name: string, [other]: readonly unknown[]): unknown {
    switch (name) {
      case 'ip':
        return new CelAddress(this.#address)
      case 'prefixLength':
        return this.#length
      case 'masked': {
        const rest = BigInt(this.#address.bits - this.#length)
        return new CelNetwork({ ...this.#address, value: (this.#address.value >> rest) << rest }, this.#length)
      }
      case 'containsIP': {
        // A text that is no address ends as a wrong overload does, not with what is wrong with it.
        const address = typeof other === 'string' && isCel(() => CelAddress.of(other)) ? CelAddress.of(other) : other
        if (!(address instanceof CelAddress)) throw new CelError(`no such overload: ${name}`)
        return this.contains(address.address)
      }
      case 'containsCIDR': {
        const network = typeof other === 'string' ? CelNetwork.of(other) : other
        if (!(network instanceof CelNetwork)) throw new CelError(`no such overload: ${name}`)
        return this.#length <= network.#length && this.contains(network.#address)
      }
      default:
        return undefined
    }
  }
}
