// Where requests that users of a cluster cause may go: judged by the addresses that a name has, at the moment of the connection.
import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { OutsideError } from '../outside-error.ts'

/**
 * Keeps requests off loopback, link-local, private and other addresses that are not of the internet: for addresses that somebody writes
 * who could not reach them from here himself. Each caller that goes without says why.
 */
export interface AddressGuard {
  /** Names of hosts that may be anywhere, and ranges such as `10.1.0.0/16` that may be reached. */
  readonly allowed: readonly string[]
  /** The ranges that are refused, in place of all that are not of the internet. */
  readonly refused?: readonly string[]
}

/** The guard refuses an address. */
export class AddressRefused extends OutsideError {
  override readonly name = 'AddressRefused'
}

// RFC 6890 lists them: this host, private, shared, loopback, link-local, protocol assignments, benchmarks, multicast, reserved. IPv6 has
// further ranges that carry an address of IPv4. Node judges `::ffff:10.0.0.1` as `10.0.0.1`.
const privateRanges = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/4', '240.0.0.0/4'],
  ...['::/127', '64:ff9b::/96', '64:ff9b:1::/48', '2002::/16', 'fc00::/7', 'fe80::/10', 'ff00::/8'],
]

function rangesOf(texts: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of texts) {
    const [address = '', bits = ''] = text.split('/')
    const family = isIP(address)
    if (family !== 0)
      list.addSubnet(address, bits === '' ? (family === 4 ? 32 : 128) : Number(bits), family === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}

const notOfTheInternet = rangesOf(privateRanges)

/** @throws AddressRefused where one of the addresses that a name has is not to be reached */
export function judgeAddresses({ allowed, refused: given }: AddressGuard, host: string, addresses: readonly string[]): void {
  if (allowed.includes(host)) return
  const exempt = rangesOf(allowed)
  const ranges = given === undefined ? notOfTheInternet : rangesOf(given)
  const isIn = (list: BlockList, address: string) => list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
  const refused = addresses.find(address => isIn(ranges, address) && !isIn(exempt, address))
  if (refused === undefined) return
  const why = given === undefined ? 'no address of the internet' : 'which is not to be reached from here'
  throw new AddressRefused(
    refused === host ? `${host}${given === undefined ? ' is' : ','} ${why}` : `${host} is ${refused}, ${why}`,
  )
}

/** The addresses of `host`, for connections that are no HTTP. @throws AddressRefused; Error where it has none; `signal.reason` */
export async function guardedAddresses(
  host: string,
  guard: AddressGuard,
  { lookup = systemLookup, signal }: { readonly lookup?: LookupFunction | undefined; readonly signal?: AbortSignal },
): Promise<readonly LookupAddress[]> {
  if (isIP(host) !== 0) {
    judgeAddresses(guard, host, [host])
    return [{ address: host, family: isIP(host) }]
  }
  const found = Promise.withResolvers<readonly LookupAddress[]>()
  const onAbort = () => found.reject(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted === true) onAbort()
  guardedLookup(guard, lookup)(host, { all: true }, (error, addresses) => {
    if (error === null && Array.isArray(addresses)) found.resolve(addresses)
    else found.reject(error ?? new OutsideError(`${host} has no address`))
  })
  try {
    return await found.promise
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

/** The connection goes to one of the addresses that were judged, whatever the name says a moment later. */
export function guardedLookup(guard: AddressGuard, lookup: LookupFunction): LookupFunction {
  return (host, options, done) =>
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error !== null) return done(error, [])
      const addresses: readonly LookupAddress[] = typeof found === 'string' ? [{ address: found, family: isIP(found) }] : found
      try {
        judgeAddresses(
          guard,
          host,
          addresses.map(({ address }) => address),
        )
      } catch (refusal) {
        if (!(refusal instanceof Error)) throw refusal
        return done(refusal, [])
      }
      const [first] = addresses
      if (options.all === true) return done(null, [...addresses])
      return first === undefined ? done(new Error(`${host} has no address`), []) : done(null, first.address, first.family)
    })
}
